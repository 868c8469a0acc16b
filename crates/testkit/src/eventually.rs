//! The only place that waits.

use std::panic::Location;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// Long enough for a busy machine with two cores; a test that passes never takes it.
const LIMIT: Duration = Duration::from_secs(20);

/// Short enough not to be noticed, long enough to leave the servers alone.
const INTERVAL: Duration = Duration::from_millis(20);

/// Asks `f` until it answers `Some`, for 20 s; then the test fails, naming `what` did not come true.
#[track_caller]
pub fn eventually<T, F, Fut>(what: &str, f: F) -> impl Future<Output = T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    or_panic(Location::caller(), LIMIT, what, f)
}

/// Like [`eventually`], with a limit of one's own.
#[track_caller]
pub fn eventually_within<T, F, Fut>(limit: Duration, what: &str, f: F) -> impl Future<Output = T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    or_panic(Location::caller(), limit, what, f)
}

async fn or_panic<T, F, Fut>(asked_at: &Location<'_>, limit: Duration, what: &str, f: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    match within(limit, f).await {
        Some(value) => value,
        None => panic!("not within {limit:?}: {what} (waited for at {asked_at})"),
    }
}

/// Asks `f` until it answers `Some`; `None` after the limit, even if the last question hangs.
pub(crate) async fn within<T, F, Fut>(limit: Duration, mut f: F) -> Option<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let end = Instant::now() + limit;
    loop {
        let answer = timeout_at(end, f()).await.ok()?;
        if answer.is_some() || Instant::now() >= end {
            return answer;
        }
        sleep(INTERVAL).await;
    }
}
