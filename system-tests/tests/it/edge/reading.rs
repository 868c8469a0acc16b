//! Readers who take no failure for an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use system_tests::{Ask, Site};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long any number of reads may take.
const PROGRESS_LIMIT: Duration = Duration::from_secs(60);

/// One reader for each path, who reads it again and again.
pub(super) struct Readers {
    enough: Arc<AtomicBool>,
    count: watch::Receiver<usize>,
    readers: JoinSet<Duration>,
}

impl Readers {
    pub(super) fn start(site: &Site, paths: &[String]) -> Self {
        let (counted, count) = watch::channel(0);
        let enough = Arc::new(AtomicBool::new(false));
        let mut readers = JoinSet::new();
        for path in paths {
            let (site, path, enough, counted) = (site.clone(), path.clone(), enough.clone(), counted.clone());
            readers.spawn(async move {
                let mut slowest = Duration::ZERO;
                while !enough.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let answer = site.get(&path).answer().await.expect(200);
                    if path.ends_with("/dashboard") {
                        // The user, who is read from a producer, is always there.
                        assert_eq!(answer.json()["degraded"], serde_json::json!(["orders"]), "{}", answer.body);
                    }
                    slowest = slowest.max(begun.elapsed());
                    counted.send_modify(|count| *count += 1);
                }
                slowest
            });
        }
        Self { enough, count, readers }
    }

    /// Waits until so many more reads have succeeded.
    pub(super) async fn go_on(&mut self, reads: usize) {
        let enough = *self.count.borrow() + reads;
        let reached = timeout(PROGRESS_LIMIT, self.count.wait_for(|count| *count >= enough)).await;
        let reached = reached.unwrap_or_else(|_| panic!("not {reads} reads in {PROGRESS_LIMIT:?}")).is_ok();
        assert!(reached, "a reader has failed");
    }

    /// Waits for the last reads, and gives how many there were and how long the slowest took.
    pub(super) async fn end(self) -> (usize, Duration) {
        self.enough.store(true, Ordering::Relaxed);
        let slowest = timeout(PROGRESS_LIMIT, self.readers.join_all()).await.expect("reads end in time");
        (*self.count.borrow(), slowest.into_iter().max().unwrap_or_default())
    }
}
