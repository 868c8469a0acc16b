//! Student records: commands that change them, and the request that reads them.
//!
//! A record is identified by its SRN. [`InsertRecord`] and [`DeleteRecord`] carry the record's version in the header
//! [`VERSION`](crate::headers::VERSION).

use messaging::Message;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::COMMANDS;

/// A student record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Record {
    /// Student registration number: identifies the record.
    #[serde(rename = "SRN", alias = "srn")]
    #[schema(example = "PES1UG21CS001")]
    pub srn: String,
    /// The student's name.
    #[serde(rename = "Name", alias = "name")]
    #[schema(example = "Ada Lovelace")]
    pub name: String,
    /// The section (class) the student is in.
    #[serde(rename = "Section", alias = "section")]
    #[schema(example = "B")]
    pub section: String,
}

/// Insert this record, or bring it back after it was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InsertRecord(pub Record);

impl Message for InsertRecord {
    const EXCHANGE: &'static str = COMMANDS;
    const ROUTING_KEY: &'static str = "insert_record";
}

/// Delete the record with this SRN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteRecord {
    /// Identifies the record.
    #[serde(rename = "SRN", alias = "srn")]
    pub srn: String,
}

impl Message for DeleteRecord {
    const EXCHANGE: &'static str = COMMANDS;
    const ROUTING_KEY: &'static str = "delete_record";
}

/// Asks for a page of records, in the order of their SRNs. It is answered with a [`RecordPage`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadDatabase {
    /// The SRN to go on after; absent for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How many records at most; absent for the consumer's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl Message for ReadDatabase {
    const EXCHANGE: &'static str = COMMANDS;
    const ROUTING_KEY: &'static str = "read_database";
}

/// A page of records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordPage {
    /// The records.
    pub records: Vec<Record>,
    /// What to ask the next page with, as `after`; null on the last one.
    pub next: Option<String>,
}
