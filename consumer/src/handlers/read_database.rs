//! `read_database`: answers with a page of records.

use contracts::records::{ReadDatabase, RecordPage};
use messaging::{Answer, Delivery, Failure};

use crate::stores::mysql;
use crate::stores::records::Records;

const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = 1000;

/// Reads pages of records.
#[derive(Debug)]
pub struct ReadRecords(pub Records);

impl Answer<ReadDatabase, RecordPage> for ReadRecords {
    async fn answer(&self, request: &Delivery<ReadDatabase>) -> Result<RecordPage, Failure> {
        let ReadDatabase { after, limit } = &request.payload;
        let limit = limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
        self.0.page(after.as_deref(), limit).await.map_err(|error| mysql::failure(&error))
    }
}
