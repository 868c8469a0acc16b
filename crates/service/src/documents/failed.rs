//! What an error of MongoDB means for who asked.

use std::time::Duration;

use mongodb::error::{Error, ErrorKind, WriteFailure};

use crate::ApiError;

/// Comes back within seconds.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// A unique index has the key already.
const DUPLICATE_KEY: i32 = 11000;

/// The answer to a request that MongoDB has not served: 503 if it is away, or else 500.
pub fn failed(error: Error) -> ApiError {
    if is_away(&error) {
        ApiError::unavailable("the database does not answer", RETRY_AFTER).because(error)
    } else {
        ApiError::internal(error)
    }
}

pub(super) fn is_duplicate(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Write(WriteFailure::WriteError(error)) if error.code == DUPLICATE_KEY)
}

fn is_away(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Io(_)
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::DnsResolve { .. }
        | ErrorKind::Authentication { .. }
        | ErrorKind::Shutdown => true,
        // Written, but perhaps not for good.
        ErrorKind::Write(WriteFailure::WriteConcernError(_)) => true,
        ErrorKind::Command(error) => passes(error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => passes(error.code),
        _ => false,
    }
}

/// Whether the server says of itself that it is not able to do it now.
fn passes(code: i32) -> bool {
    match code {
        // It timed out, or cannot be reached by the others.
        6 | 7 | 50 | 64 | 89 | 202 | 262 | 9001 => true,
        // It shuts down, steps down, or is no primary.
        91 | 189 | 10058 | 10107 | 11600 | 11602 | 13435 | 13436 => true,
        // It is out of disk or memory.
        39 | 146 | 14031 => true,
        _ => false,
    }
}
