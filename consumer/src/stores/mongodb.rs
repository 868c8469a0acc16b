//! MongoDB: operations in bounded time, bulk updates whose errors are read one by one, and what they mean for a message.

use std::time::Duration;

use bson::{Bson, Document, doc};
use messaging::{Failure, FailureKind};
use mongodb::Database;
use mongodb::error::{Error, ErrorKind};

use super::{OPERATION_LIMIT, Store};

/// A unique index has the key already.
const DUPLICATE_KEY: i32 = 11000;

/// Why one update of many did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ItemError {
    /// Which of the updates.
    pub(super) index: usize,
    /// The server's code.
    pub(super) code: i32,
    /// The server's words.
    pub(super) message: String,
    /// Whether a document with this id is there already.
    pub(super) id_is_taken: bool,
}

impl ItemError {
    fn new(error: &Document) -> Self {
        let code = number(error, "code").and_then(|code| i32::try_from(code).ok()).unwrap_or_default();
        let message = text(error, "errmsg").to_owned();
        // Another unique index, if somebody made one, is a failure like any other.
        let by_id =
            error.get_document("keyPattern").is_ok_and(|keys| keys.contains_key("_id")) || message.contains("_id_");
        Self {
            index: number(error, "index").and_then(|index| usize::try_from(index).ok()).unwrap_or(usize::MAX),
            code,
            message,
            id_is_taken: code == DUPLICATE_KEY && by_id,
        }
    }

    pub(super) fn failure(&self) -> Failure {
        by_code(self.code, &self.message)
    }
}

/// Runs an operation for a limited time. What takes too long goes on by itself, and nobody learns how it ended.
pub(super) async fn in_time<T, F>(operation: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    messaging::documents::in_time(OPERATION_LIMIT, operation).await
}

/// Sends updates (`{q, u, upsert}`) as one command that goes on after an item's error. What it acknowledges is on disk,
/// on a majority of the servers. Returns the items that failed, none of them for a reason that lies with the server.
pub(super) async fn update_each(
    database: &Database,
    collection: &str,
    updates: Vec<Document>,
) -> Result<Vec<ItemError>, Failure> {
    if updates.is_empty() {
        return Ok(Vec::new());
    }
    let patience = i64::try_from((OPERATION_LIMIT - Duration::from_secs(1)).as_millis()).unwrap_or(i64::MAX);
    let command = doc! {
        "update": collection,
        "updates": updates,
        "ordered": false,
        "writeConcern": { "w": "majority", "j": true, "wtimeout": patience },
    };
    let database = database.clone();
    let reply = in_time(async move { database.run_command(command).await }).await.map_err(|error| failure(&error))?;
    let failed = item_errors(&reply);
    if let Some(down) = failed.iter().map(ItemError::failure).find(|failure| failure.kind == FailureKind::Unavailable) {
        return Err(down);
    }
    // Written, but perhaps not for good.
    if let Ok(error) = reply.get_document("writeConcernError") {
        return Err(Store::Mongodb.unavailable(text(error, "errmsg")));
    }
    Ok(failed)
}

fn item_errors(reply: &Document) -> Vec<ItemError> {
    let errors = reply.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
    errors.iter().filter_map(Bson::as_document).map(ItemError::new).collect()
}

fn number(document: &Document, key: &str) -> Option<i64> {
    match document.get(key)? {
        Bson::Int32(number) => Some(i64::from(*number)),
        Bson::Int64(number) => Some(*number),
        _ => None,
    }
}

fn text<'a>(document: &'a Document, key: &str) -> &'a str {
    document.get_str(key).unwrap_or("no reason given")
}

/// What an error of MongoDB means for the message.
pub fn failure(error: &Error) -> Failure {
    match &*error.kind {
        ErrorKind::Io(_)
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::DnsResolve { .. }
        | ErrorKind::Authentication { .. }
        | ErrorKind::InvalidTlsConfig { .. }
        | ErrorKind::IncompatibleServer { .. }
        | ErrorKind::Shutdown => Store::Mongodb.unavailable(error),
        ErrorKind::Command(command) => by_code(command.code, &command.message),
        ErrorKind::Bson(_) | ErrorKind::BsonSerialization(_) => Store::Mongodb.reject(error),
        _ => Store::Mongodb.retry(error),
    }
}

fn by_code(code: i32, message: &str) -> Failure {
    let reason = format!("{message} (code {code})");
    match code {
        // Unreachable, timed out, or the connection broke.
        6 | 7 | 89 | 202 | 262 | 9001 | 50 | 64
        // Shutting down, stepping down, not a primary.
        | 91 | 11600 | 11602 | 189 | 10107 | 13435 | 13436 | 10058
        // Access denied.
        | 13 | 18
        // Out of disk or memory.
        | 14031 | 39 | 146 => Store::Mongodb.unavailable(reason),
        // Bad value, failed to parse, type mismatch, too large, too deep, against the collection's schema.
        2 | 9 | 14 | 15 | 121 | 10334 | 17280 | 17419 | 17420 => Store::Mongodb.reject(reason),
        _ => Store::Mongodb.retry(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_errors_of_a_bulk_write_are_read_one_by_one() {
        let reply = doc! { "ok": 1, "n": 1, "writeErrors": [
            { "index": 1, "code": 11000, "errmsg": "duplicate", "keyPattern": { "_id": 1 } },
            { "index": 2, "code": 11000, "errmsg": "duplicate", "keyPattern": { "email": 1 } },
            { "index": 3_i64, "code": 121, "errmsg": "schema" },
        ] };
        let errors = item_errors(&reply);
        let read: Vec<_> = errors.iter().map(|error| (error.index, error.code, error.id_is_taken)).collect();
        assert_eq!(read, [(1, 11000, true), (2, 11000, false), (3, 121, false)]);
        assert_eq!(errors[2].failure().kind, FailureKind::Reject);
    }

    #[test]
    fn a_server_that_stops_is_not_the_messages_fault() {
        assert_eq!(by_code(91, "shutting down").kind, FailureKind::Unavailable);
        assert_eq!(by_code(112, "write conflict").kind, FailureKind::Retry);
    }
}
