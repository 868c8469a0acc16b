//! Operations of the driver in bounded time.

use std::time::Duration;

use mongodb::error::Error;

/// How long MongoDB may take for anything that is asked of it.
const LIMIT: Duration = Duration::from_secs(8);

/// Runs an operation for a limited time. The driver must not be interrupted midway, so what takes too long goes on by itself, and
/// so does what nobody waits for any more.
///
/// # Errors
/// Those of the operation, or that it took too long: then nobody learns how it ended.
pub async fn in_time<T, F>(operation: F) -> Result<T, Error>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    messaging::documents::in_time(LIMIT, operation).await
}
