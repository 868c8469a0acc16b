//! Waiting for a broker or a database that is away: longer each time, and told once.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::Backoff;
use crate::stall::Stall;

type Delays = Box<dyn Iterator<Item = Duration> + Send>;

/// A pause that all parts of a relay keep together.
pub(super) struct Pause {
    stall: Stall,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    until: Option<Instant>,
    delays: Option<Delays>,
}

impl Pause {
    pub(super) fn new() -> Self {
        Self { stall: Stall::new("publishing from documents"), state: Mutex::default() }
    }

    /// Something failed. What fails while a pause is on, because it was under way, does not make the next one longer.
    pub(super) fn begin(&self, reason: &dyn fmt::Display) {
        self.stall.begins(reason);
        let mut state = self.state();
        if state.until.is_some_and(|until| Instant::now() < until) {
            return;
        }
        let delays = state.delays.get_or_insert_with(|| Box::new(Backoff::RECONNECT.delays()));
        let delay = delays.next().unwrap_or(Backoff::RECONNECT.cap);
        state.until = Some(Instant::now() + delay);
    }

    /// Something succeeded.
    pub(super) fn end(&self) {
        self.stall.ends();
        *self.state() = State::default();
    }

    /// Waits until no pause is on, or the stop.
    pub(super) async fn over(&self, stop: &CancellationToken) {
        loop {
            let until = self.state().until;
            match until.filter(|until| Instant::now() < *until) {
                None => return,
                Some(until) => tokio::select! {
                    () = sleep_until(until) => {}
                    () = stop.cancelled() => return,
                },
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_lengthens_with_each_failure_after_it_and_a_success_ends_it() {
        let (pause, stop) = (Pause::new(), CancellationToken::new());
        let waited = async || {
            let start = Instant::now();
            pause.over(&stop).await;
            start.elapsed()
        };
        assert_eq!(waited().await, Duration::ZERO);
        for full in [100, 200, 400] {
            // Five that were under way fail together.
            (0..5).for_each(|_| pause.begin(&"gone"));
            let waited = waited().await;
            assert!((full / 2..=full + 1).contains(&waited.as_millis()), "{waited:?} is not within {full} ms");
        }
        pause.begin(&"gone");
        pause.end();
        assert_eq!(waited().await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_wait() {
        let (pause, stop) = (Pause::new(), CancellationToken::new());
        pause.begin(&"gone");
        stop.cancel();
        let start = Instant::now();
        pause.over(&stop).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
