//! Connections that work requests off, and the clock that counts from when each was due.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, timeout_at};

use super::schedule::Schedule;
use super::tally::Tally;

/// Something that can be asked; in the tests no server.
pub(super) trait Call {
    /// Sends the request of this number and awaits its answer.
    async fn call(&mut self, index: u64) -> Result<(), String>;
}

/// Where requests come from.
pub(super) enum Arrivals {
    /// From a schedule, through a bounded queue.
    Open { schedule: Schedule, due: Mutex<mpsc::Receiver<u64>>, taken: AtomicU64 },
    /// As soon as a connection is free.
    Closed { start: Instant, until: Instant, next: AtomicU64, at_most: u64 },
}

/// A request, and when it was to be sent.
struct Arrival {
    index: u64,
    intended: Instant,
}

impl Arrivals {
    pub(super) fn open(schedule: Schedule, due: mpsc::Receiver<u64>) -> Self {
        Self::Open { schedule, due: Mutex::new(due), taken: AtomicU64::new(0) }
    }

    fn start(&self) -> Instant {
        match self {
            Self::Open { schedule, .. } => schedule.start,
            Self::Closed { start, .. } => *start,
        }
    }

    async fn next(&self) -> Option<Arrival> {
        match self {
            Self::Open { schedule, due, taken } => {
                let index = due.lock().await.recv().await?;
                taken.fetch_add(1, Ordering::Relaxed);
                Some(Arrival { index, intended: schedule.intended(index) })
            }
            Self::Closed { until, next, at_most, .. } => {
                let intended = Instant::now();
                let index = next.fetch_add(1, Ordering::Relaxed);
                (intended < *until && index < *at_most).then_some(Arrival { index, intended })
            }
        }
    }

    /// What was due and never sent has waited all the same.
    pub(super) fn left_over(&self, tally: &mut Tally) {
        if let Self::Open { schedule, taken, .. } = self {
            for index in taken.load(Ordering::Relaxed)..schedule.count {
                tally.record(schedule.start, schedule.intended(index), None);
            }
        }
    }
}

/// Works requests off, one at a time, until there are no more or the deadline passes.
pub(super) async fn work(arrivals: &Arrivals, call: &mut impl Call, deadline: Instant) -> Tally {
    let mut tally = Tally::default();
    let start = arrivals.start();
    while let Ok(Some(arrival)) = timeout_at(deadline, arrivals.next()).await {
        let answer = timeout_at(deadline, call.call(arrival.index)).await.ok();
        tally.record(start, arrival.intended, answer);
    }
    tally
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{sleep, sleep_until};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Answers in a millisecond, but for one request.
    struct Server {
        stalls_at: u64,
        stalls_for: Duration,
    }

    impl Call for Server {
        async fn call(&mut self, index: u64) -> Result<(), String> {
            sleep(if index == self.stalls_at { self.stalls_for } else { MS }).await;
            Ok(())
        }
    }

    /// 100 requests in a second, over one connection.
    async fn load(mut server: Server) -> Tally {
        let schedule = Schedule::new(Instant::now(), 100.0, Duration::from_secs(1));
        let (queue, due) = mpsc::channel(8);
        let arrivals = Arrivals::open(schedule, due);
        let pacing = async move {
            for index in 0..schedule.count {
                sleep_until(schedule.intended(index)).await;
                let _ = queue.send(index).await;
            }
        };
        let deadline = schedule.end() + Duration::from_secs(1);
        let (mut tally, ()) = tokio::join!(work(&arrivals, &mut server, deadline), async {
            let _ = timeout_at(deadline, pacing).await;
        });
        arrivals.left_over(&mut tally);
        tally
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stalls_once_is_late_for_all_who_were_due_meanwhile() {
        let tally = load(Server { stalls_at: 10, stalls_for: 500 * MS }).await;
        assert_eq!((tally.accepted, tally.latencies.len()), (100, 100));
        // The one that stalled, and the 40 that were due in the first 400 ms of it. Counted from when each was sent,
        // it would be the one alone.
        let late = tally.latencies.at_least(100 * MS);
        assert!((40..=46).contains(&late), "{late} requests were late");
        assert!(tally.latencies.quantile_ms(0.99) > 480.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_again_is_late_for_all_to_come() {
        let tally = load(Server { stalls_at: 10, stalls_for: Duration::from_secs(3_600) }).await;
        assert_eq!((tally.accepted, tally.unanswered), (10, 90));
        assert_eq!(tally.latencies.len(), 100);
        // Those that were due in the last second wait at least the second that the load waits for answers.
        assert_eq!(tally.latencies.at_least(990 * MS), 90);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_keeps_up_answers_in_its_own_time() {
        let tally = load(Server { stalls_at: u64::MAX, stalls_for: MS }).await;
        assert_eq!(tally.latencies.at_least(4 * MS), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_loop_sends_when_it_is_answered_and_ends_in_time() {
        let start = Instant::now();
        let arrivals = Arrivals::Closed { start, until: start + 100 * MS, next: AtomicU64::new(0), at_most: 1_000 };
        let mut server = Server { stalls_at: u64::MAX, stalls_for: MS };
        let tally = work(&arrivals, &mut server, start + Duration::from_secs(1)).await;
        assert!((45..=101).contains(&tally.accepted), "{}", tally.accepted);
        assert!(tally.took <= 105 * MS);
    }
}
