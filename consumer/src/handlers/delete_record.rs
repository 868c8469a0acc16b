//! `delete_record`: deletes records in MariaDB/MySQL.

use contracts::records::DeleteRecord;
use messaging::{Delivery, Failure, HandleBatch};

use super::{apply_to_records, version};
use crate::stores::records::{Change, Records};

/// Turns records into tombstones.
#[derive(Debug)]
pub struct DeleteRecords(pub Records);

impl HandleBatch<DeleteRecord> for DeleteRecords {
    async fn handle_batch(&self, batch: &[Delivery<DeleteRecord>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        apply_to_records(&self.0, batch, |delivery| Change {
            srn: &delivery.payload.srn,
            version: version(&delivery.meta),
            state: None,
        })
        .await
    }
}
