//! Waiting longer after each failure, by chance, so that many callers do not come back at the same moment.

use std::time::Duration;

/// Full jitter: anything from nothing to `first`, doubled for each failure after the first, but at most `longest`.
pub(crate) fn wait(first: Duration, longest: Duration, failures: u32) -> Duration {
    let factor = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let limit = first.saturating_mul(factor).min(longest);
    limit.mul_f64(rand::random_range(0.0..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_doubles_up_to_its_limit() {
        let longest = |failures| {
            let waits = (0..2_000).map(|_| wait(Duration::from_millis(100), Duration::from_secs(2), failures));
            waits.max().unwrap_or_default().as_secs_f64()
        };
        for (failures, limit) in [(1, 0.1), (2, 0.2), (5, 1.6), (6, 2.0), (40, 2.0)] {
            let longest = longest(failures);
            assert!(longest <= limit && longest > limit * 0.9, "{longest} s after {failures} failures");
        }
    }
}
