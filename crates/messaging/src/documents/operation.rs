//! Operations of the driver in bounded time.

use std::io;
use std::time::Duration;

use mongodb::error::Error;
use tokio::time::timeout;

/// How long a server may take for anything that is asked of it here.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// Runs an operation of MongoDB's driver for a limited time. The driver must not be interrupted midway, so what takes too long
/// goes on by itself, and so does what nobody waits for any more.
///
/// # Errors
/// Those of the operation, or that it took too long: then nobody learns how it ended.
pub async fn in_time<T, F>(limit: Duration, operation: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    match timeout(limit, tokio::spawn(operation)).await {
        Ok(Ok(result)) => result,
        Ok(Err(panicked)) => Err(Error::custom(panicked.to_string())),
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}
