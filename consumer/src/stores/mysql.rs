//! MariaDB or MySQL: statements in bounded time, and what its errors mean for a message.

use messaging::Failure;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::pool::PoolConnection;
use sqlx::{Error, MySql};
use tokio::time::error::Elapsed;

use super::Store;

/// The outcome of a statement that had limited time. After too long the connection's state is not known: it is closed.
pub(super) fn in_time<T>(
    mut connection: PoolConnection<MySql>,
    outcome: Result<Result<T, Error>, Elapsed>,
) -> Result<T, Error> {
    outcome.unwrap_or_else(|_| {
        connection.close_on_drop();
        Err(Error::Io(std::io::ErrorKind::TimedOut.into()))
    })
}

/// Whether two statements were in one another's way: the same one succeeds when tried again.
pub(super) fn is_lock_conflict(error: &Error) -> bool {
    // Lock wait timeout; deadlock; MariaDB's "record has changed since last read".
    matches!(number(error), Some(1205 | 1213 | 1020))
}

/// What an error of MariaDB or MySQL means for the message.
pub fn failure(error: &Error) -> Failure {
    match error {
        Error::Io(_)
        | Error::Tls(_)
        | Error::Protocol(_)
        | Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed => Store::Mysql.unavailable(error),
        Error::Database(_) if number(error).is_some_and(is_state_of_server) => Store::Mysql.unavailable(error),
        Error::Database(database) => match database.code().as_deref().unwrap_or_default() {
            // A connection exception.
            code if code.starts_with("08") => Store::Mysql.unavailable(error),
            // Data exceptions and violated constraints.
            code if code.starts_with("22") || code.starts_with("23") => Store::Mysql.reject(error),
            _ => Store::Mysql.retry(error),
        },
        Error::Encode(_) => Store::Mysql.reject(error),
        _ => Store::Mysql.retry(error),
    }
}

/// Errors about the server or its configuration, whatever the statement. The messages wait until somebody mends it.
fn is_state_of_server(number: u16) -> bool {
    matches!(
        number,
        // Too many connections, also for one user; a host blocked for its errors.
        1040 | 1203 | 1226 | 1129
        // Shutting down; connection or query killed; the statement took longer than the server allows.
        | 1053 | 1079 | 1927 | 1317 | 1969 | 3024
        // Read-only.
        | 1036 | 1290 | 1792 | 1836
        // Access denied, unknown database, no such table: not set up, or not yet.
        | 1044 | 1045 | 1049 | 1142 | 1146 | 1698
        // Out of memory or disk.
        | 1021 | 1037 | 1038 | 1041 | 1114 | 1135
        // The network failed.
        | 1158..=1161 | 2002 | 2003 | 2006 | 2013
    )
}

fn number(error: &Error) -> Option<u16> {
    let Error::Database(database) = error else { return None };
    database.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

#[cfg(test)]
mod tests {
    use messaging::FailureKind;

    use super::*;

    #[test]
    fn a_server_that_cannot_be_reached_is_not_the_messages_fault() {
        for error in [Error::PoolTimedOut, Error::Io(std::io::ErrorKind::ConnectionRefused.into())] {
            assert_eq!(failure(&error).kind, FailureKind::Unavailable, "{error}");
        }
    }
}
