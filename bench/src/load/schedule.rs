//! When each request of an open-loop load is to be sent, whatever the server does meanwhile.

use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

/// Arrivals at even distances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// When the first request is due.
    pub(crate) start: Instant,
    /// The time from one request to the next.
    pub(crate) every: Duration,
    /// How many there are.
    pub(crate) count: u64,
}

impl Schedule {
    pub(crate) fn new(start: Instant, per_second: f64, lasts: Duration) -> Self {
        let per_second = per_second.max(0.1);
        let count = (per_second * lasts.as_secs_f64()).round().max(1.0) as u64;
        Self { start, every: Duration::from_secs_f64(1.0 / per_second), count }
    }

    /// When a request is due. Its latency counts from here, also if it could only be sent later.
    pub(crate) fn intended(&self, index: u64) -> Instant {
        self.start + Duration::from_secs_f64(self.every.as_secs_f64() * index as f64)
    }

    /// When the last request is due.
    #[cfg(test)]
    pub(crate) fn end(&self) -> Instant {
        self.intended(self.count)
    }

    /// Hands out the requests as they fall due. It blocks, on a thread of its own: the runtime's timers are a
    /// millisecond coarse, which is half of what is to be measured.
    ///
    /// A full queue holds it up, which changes nothing about when the requests were due.
    pub(crate) fn pace(&self, queue: &mpsc::Sender<u64>) {
        for index in 0..self.count {
            let wait = self.intended(index).saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                thread::sleep(wait);
            }
            // Closed: the load has ended.
            if queue.blocking_send(index).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_keep_their_distance_without_drifting() {
        let schedule = Schedule::new(Instant::now(), 3_000.0, Duration::from_secs(10));
        assert_eq!(schedule.count, 30_000);
        let last = schedule.intended(29_999) - schedule.start;
        assert!((last.as_secs_f64() - 29_999.0 / 3_000.0).abs() < 1e-3, "{last:?}");
    }

    #[test]
    fn a_queue_that_nobody_reads_any_more_ends_the_pace() {
        let schedule = Schedule::new(Instant::now(), 1_000.0, Duration::from_secs(3_600));
        let (sender, receiver) = mpsc::channel(1);
        drop(receiver);
        schedule.pace(&sender);
    }
}
