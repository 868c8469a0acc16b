//! Waiting longer after each failure, with jitter, so that many clients do not come back at the same moment.

use std::fmt::Display;
use std::time::Duration;

use tokio_retry::RetryIf;
use tokio_retry::strategy::ExponentialBackoff;

/// How often and how patiently something is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// How many tries there are before the last error is final; at least one is made.
    pub attempts: usize,
    /// The wait after the first failure; it doubles with each further one.
    pub base: Duration,
    /// The longest wait.
    pub cap: Duration,
}

impl Default for Backoff {
    /// Ten tries from three seconds on: what a system needs whose parts all start at the same time.
    fn default() -> Self {
        Self { attempts: 10, base: Duration::from_secs(3), cap: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// For a connection that is to be rebuilt, for ever.
    pub const RECONNECT: Self =
        Self { attempts: usize::MAX, base: Duration::from_millis(100), cap: Duration::from_secs(5) };

    /// The waits between the tries.
    pub fn delays(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        let base = u64::try_from(self.base.as_millis()).unwrap_or(u64::MAX);
        // The library computes base^n, so a base of 2 with this factor doubles.
        ExponentialBackoff::from_millis(2)
            .factor(base.div_ceil(2).max(1))
            .max_delay(self.cap)
            .map(|delay| delay.mul_f64(rand::random_range(0.5..=1.0)))
            .take(self.attempts.saturating_sub(1))
    }

    /// Runs `op` until it succeeds or the tries are used up, and logs each failed try.
    pub async fn retry<T, E, F, Fut>(&self, what: &str, op: F) -> Result<T, E>
    where
        E: Display,
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.retry_if(what, op, |_| true).await
    }

    /// The same, but an error that does not `pass` by itself is final at once.
    pub async fn retry_if<T, E, F, Fut>(&self, what: &str, mut op: F, pass: impl FnMut(&E) -> bool) -> Result<T, E>
    where
        E: Display,
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let mut attempts = 0_usize;
        let tries = || {
            attempts += 1;
            let attempt = attempts;
            let tried = op();
            async move {
                let result = tried.await;
                if let Err(error) = &result {
                    tracing::warn!(attempt, attempts = self.attempts, error = format!("{error:#}"), "{what} failed");
                }
                result
            }
        };
        RetryIf::start(self.delays(), tries, pass).await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_with_jitter_below() {
        let backoff = Backoff { attempts: 6, base: Duration::from_secs(3), cap: Duration::from_secs(20) };
        let delays: Vec<f64> = backoff.delays().map(|delay| delay.as_secs_f64()).collect();
        assert_eq!(delays.len(), 5, "six tries have five waits between them");
        for (delay, full) in delays.iter().zip([3.0, 6.0, 12.0, 20.0, 20.0]) {
            assert!(*delay >= full * 0.49 && *delay <= full * 1.01, "{delay} is not within {full} and its half");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_error_is_returned_when_the_tries_are_used_up() {
        let tries = Cell::new(0);
        let backoff = Backoff { attempts: 3, ..Backoff::default() };
        let result: Result<(), String> = backoff
            .retry("counting", || {
                tries.set(tries.get() + 1);
                let error = format!("try {}", tries.get());
                async move { Err(error) }
            })
            .await;
        assert_eq!(result, Err("try 3".to_owned()));
    }
}
