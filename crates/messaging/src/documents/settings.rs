//! How the relay goes about its work.

use std::time::Duration;

/// How the relay goes about its work. The defaults suit a broker and a database near by.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// The most entries that are published and removed together.
    pub batch: usize,
    /// How many batches of what was just written may be in flight at a time. The sweep has as many of its own.
    pub batches_in_flight: usize,
    /// The most entries that wait in memory; the sweep finds the others.
    pub waiting_entries: usize,
    /// The most bytes of bodies that wait in memory.
    pub waiting_bytes: usize,
    /// How often documents are looked for that hold old entries.
    pub sweep_every: Duration,
    /// How long an entry that the broker would not have waits for its second try; the wait doubles from there.
    pub retry_first: Duration,
    /// The longest wait of such an entry, and every wait of one that the broker refused for what it is.
    pub retry_at_most: Duration,
    /// How long a stop waits for what is in flight.
    pub stop_within: Duration,
}

impl Default for RelaySettings {
    fn default() -> Self {
        Self {
            batch: 256,
            batches_in_flight: 4,
            waiting_entries: 4096,
            waiting_bytes: 16 * 1024 * 1024,
            sweep_every: Duration::from_secs(1),
            retry_first: Duration::from_secs(1),
            retry_at_most: Duration::from_secs(60),
            stop_within: Duration::from_secs(5),
        }
    }
}

impl RelaySettings {
    /// How long an entry waits after so many tries in vain.
    pub(super) fn wait_after(&self, tries: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        self.retry_first.saturating_mul(doubled).min(self.retry_at_most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let settings = RelaySettings::default();
        let waits: Vec<u64> = (1..9).map(|tries| settings.wait_after(tries).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(settings.wait_after(u32::MAX), settings.retry_at_most);
    }
}
