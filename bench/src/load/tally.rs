//! What came of the requests of a load.

use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::Instant;

/// No load lasts as long as this.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Latencies in microseconds, to three digits.
#[derive(Clone, Debug)]
pub(crate) struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new(3).expect("three digits are allowed"))
    }
}

impl Latencies {
    pub(crate) fn record(&mut self, latency: Duration) {
        // Not `saturating_record`: that does not grow the histogram, and cuts latencies off in silence.
        let micros = latency.min(LONGEST).as_micros() as u64;
        self.0.record(micros).expect("it grows as needed");
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both grow as needed");
    }

    /// In milliseconds: the latency that this share of the requests did not exceed.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1_000.0
    }

    /// How many took at least this long.
    #[cfg(test)]
    pub(crate) fn at_least(&self, latency: Duration) -> u64 {
        let micros = latency.as_micros() as u64;
        self.0
            .iter_recorded()
            .filter(|value| value.value_iterated_to() >= micros)
            .map(|value| value.count_at_value())
            .sum()
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }
}

/// What came of the requests of a load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Answered as they should be.
    pub(crate) accepted: u64,
    /// Answered otherwise, or not at all because the connection broke.
    pub(crate) failed: u64,
    /// Without an answer at the end of the load.
    pub(crate) unanswered: u64,
    /// Of all of them, also of those without an answer, from when they were due.
    pub(crate) latencies: Latencies,
    /// The first failure, in words.
    pub(crate) failure: Option<String>,
    /// From the start to the last answer.
    pub(crate) took: Duration,
}

impl Tally {
    /// A request that was due at `intended` is over now.
    pub(super) fn record(&mut self, start: Instant, intended: Instant, answer: Option<Result<(), String>>) {
        let now = Instant::now();
        self.latencies.record(now.saturating_duration_since(intended));
        self.took = self.took.max(now.saturating_duration_since(start));
        match answer {
            Some(Ok(())) => self.accepted += 1,
            Some(Err(failure)) => {
                self.failed += 1;
                self.failure.get_or_insert(failure);
            }
            None => self.unanswered += 1,
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.failed += other.failed;
        self.unanswered += other.unanswered;
        self.latencies.add(&other.latencies);
        self.failure = self.failure.take().or_else(|| other.failure.clone());
        self.took = self.took.max(other.took);
    }

    /// Accepted requests per second.
    pub(crate) fn rate(&self) -> f64 {
        self.accepted as f64 / self.took.as_secs_f64().max(1e-9)
    }

    /// All were accepted; otherwise what is measured is not what it is called.
    pub(crate) fn all_accepted(&self) -> anyhow::Result<()> {
        let why = self.failure.as_deref().unwrap_or("no answer in time");
        anyhow::ensure!(
            self.failed + self.unanswered == 0,
            "{} of {} requests were not accepted: {why}",
            self.failed + self.unanswered,
            self.latencies.len()
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_of_any_length_are_kept_to_three_digits() {
        let mut latencies = Latencies::default();
        for ms in [1, 20, 3_000, 40_000] {
            latencies.record(Duration::from_millis(ms));
        }
        for (share, ms) in [(0.25, 1.0), (0.5, 20.0), (0.75, 3_000.0), (1.0, 40_000.0)] {
            let found = latencies.quantile_ms(share);
            assert!((found / ms - 1.0).abs() < 2e-3, "{found} instead of {ms}");
        }
    }

    #[test]
    fn tallies_add_up() {
        let start = Instant::now();
        let (mut one, mut other) = (Tally::default(), Tally::default());
        one.record(start, start, Some(Ok(())));
        other.record(start, start, Some(Err("answered with 503".to_owned())));
        other.record(start, start, None);
        one.add(&other);
        assert_eq!((one.accepted, one.failed, one.unanswered, one.latencies.len()), (1, 1, 1, 3));
        let why = one.all_accepted().unwrap_err().to_string();
        assert_eq!(why, "2 of 3 requests were not accepted: answered with 503");
    }
}
