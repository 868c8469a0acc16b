//! Operations of the driver in bounded time.

use std::io;
use std::time::Duration;

use mongodb::error::Error;
use mongodb::{Collection, IndexModel};
use tokio::time::timeout;

use crate::Backoff;

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

/// How patiently indexes are made: the server may go away in the moment in which a program starts.
const INDEXING: Backoff = Backoff { attempts: 5, base: Duration::from_millis(500), cap: Duration::from_secs(5) };

/// Makes the indexes that are not there. Several processes may do this at once.
///
/// # Errors
/// That of the last try.
pub async fn ensure_indexes<T>(collection: &Collection<T>, indexes: impl Into<Vec<IndexModel>>) -> Result<(), Error>
where
    T: Send + Sync + 'static,
{
    let indexes = indexes.into();
    let create = || {
        let (collection, indexes) = (collection.clone(), indexes.clone());
        in_time(LIMIT, async move { collection.create_indexes(indexes).await })
    };
    INDEXING.retry("making indexes", create).await.map(drop)
}
