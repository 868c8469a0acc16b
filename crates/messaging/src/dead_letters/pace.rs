//! How fast messages are redriven.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// Messages of a tenth of a second go together.
const TOGETHER_PER_SECOND: u32 = 10;

/// Lets through so many messages per second; in any stretch of time no more than that, but for those that go together.
#[derive(Debug)]
pub(super) struct Pace {
    each: Duration,
    next: Instant,
    together: usize,
}

impl Pace {
    pub(super) fn new(rate: NonZeroU32) -> Self {
        let together = rate.get().div_ceil(TOGETHER_PER_SECOND);
        Self {
            each: Duration::from_secs(1) / rate.get(),
            next: Instant::now(),
            together: usize::try_from(together).unwrap_or(usize::MAX),
        }
    }

    /// How many go together at most.
    pub(super) fn together(&self) -> usize {
        self.together
    }

    /// When the next ones may go.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// So many have gone. Time that was lost is not made up for.
    pub(super) fn gone(&mut self, messages: usize) {
        let messages = u32::try_from(messages).unwrap_or(u32::MAX);
        self.next = self.next.max(Instant::now()) + self.each.saturating_mul(messages);
    }
}
