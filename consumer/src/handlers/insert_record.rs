//! `insert_record`: puts records into MariaDB/MySQL.

use contracts::records::InsertRecord;
use messaging::{Delivery, Failure, HandleBatch};

use super::{apply_to_records, version};
use crate::stores::records::{Change, Records};

/// Inserts records, or brings them back after they were deleted.
#[derive(Debug)]
pub struct InsertRecords(pub Records);

impl HandleBatch<InsertRecord> for InsertRecords {
    async fn handle_batch(&self, batch: &[Delivery<InsertRecord>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        apply_to_records(&self.0, batch, |delivery| {
            let InsertRecord(record) = &delivery.payload;
            let state = Some((record.name.as_str(), record.section.as_str()));
            Change { srn: &record.srn, version: version(&delivery.meta), state }
        })
        .await
    }
}
