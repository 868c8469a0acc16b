//! What is known of one client: its window, and the requests that wait to be counted.

use std::sync::{Mutex, MutexGuard, PoisonError};

use service::Together;
use tokio::time::Instant;

use super::shared::Counted;
use super::{Policy, Standing};

/// One client.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// How many requests there were, as far as is known here, and when the window they were in ends.
    window: Mutex<Option<(u64, Instant)>>,
    /// Its requests that are counted in Redis.
    pub(super) together: Together<(), Option<Counted>>,
}

impl Client {
    /// How a client stands whose further requests need not be counted: it is over its limit.
    pub(super) fn over_limit(&self, policy: &Policy, now: Instant) -> Option<Standing> {
        let (count, ends) = (*self.window()).filter(|(count, ends)| now < *ends && *count >= policy.limit)?;
        Some(standing(policy, count + 1, ends, now))
    }

    /// Redis has counted its requests.
    pub(super) fn counted(&self, Counted { before, requests, ends }: Counted) {
        *self.window() = Some((before + requests, ends));
    }

    /// Redis is away: a request is counted from what is known here.
    pub(super) fn count_here(&self, policy: &Policy, now: Instant) -> Standing {
        metrics::counter!("rate_limit_local_total").increment(1);
        let mut window = self.window();
        let known = window.filter(|(_, ends)| now < *ends);
        let (count, ends) = known.unwrap_or((0, now + policy.window));
        *window = Some((count + 1, ends));
        standing(policy, count + 1, ends, now)
    }

    /// Nothing panics halfway through a change.
    fn window(&self) -> MutexGuard<'_, Option<(u64, Instant)>> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a client stands after the request that is the `count`th in its window.
pub(super) fn standing(policy: &Policy, count: u64, ends: Instant, now: Instant) -> Standing {
    Standing {
        is_allowed: count <= policy.limit,
        remaining: policy.limit.saturating_sub(count),
        reset: ends.saturating_duration_since(now),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const POLICY: Policy = Policy { limit: 3, window: Duration::from_secs(60) };

    #[test]
    fn who_is_over_the_limit_is_known_until_the_window_ends() {
        let (client, now) = (Client::default(), Instant::now());
        assert_eq!(client.over_limit(&POLICY, now), None);
        let ends = now + POLICY.window;
        client.counted(Counted { before: 0, requests: 2, ends });
        assert_eq!(client.over_limit(&POLICY, now), None);
        client.counted(Counted { before: 2, requests: 2, ends });
        let refused = Standing { is_allowed: false, remaining: 0, reset: POLICY.window };
        assert_eq!(client.over_limit(&POLICY, now), Some(refused));
        assert_eq!(client.over_limit(&POLICY, ends), None);
    }

    #[test]
    fn without_redis_the_count_goes_on_from_what_is_known_and_begins_anew_with_the_window() {
        let (client, now) = (Client::default(), Instant::now());
        client.counted(Counted { before: 0, requests: 1, ends: now + POLICY.window });
        let allowed = |now| client.count_here(&POLICY, now).is_allowed;
        assert_eq!([allowed(now), allowed(now), allowed(now)], [true, true, false]);
        let later = now + POLICY.window;
        assert_eq!([allowed(later), allowed(later), allowed(later), allowed(later)], [true, true, true, false]);
    }
}
