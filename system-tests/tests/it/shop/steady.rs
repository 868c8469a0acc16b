//! Clients who go on and on, and repeat with its key what was not answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::RequestBuilder;
use system_tests::{Answer, Ask};
use testkit::eventually_within;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use uuid::Uuid;

/// How long a client goes on repeating a request, and how long any number of them may take. Less than the shop's ORDER_TIMEOUT:
/// an order that only ends because that ran out was lost.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);

/// What clients do until it is enough, and what came of it.
pub(super) struct Steady<T> {
    enough: Arc<AtomicBool>,
    count: watch::Receiver<usize>,
    clients: JoinSet<Vec<T>>,
}

impl<T: Send + 'static> Steady<T> {
    /// So many clients do this at the same time, each turn with a number of its own.
    pub(super) fn start<F>(clients: usize, act: impl Fn(usize) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = T> + Send,
    {
        let (counted, count) = watch::channel(0);
        let (enough, mut set) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for client in 0..clients {
            let (act, enough, counted) = (act.clone(), enough.clone(), counted.clone());
            set.spawn(async move {
                let mut done = Vec::new();
                for turn in (client..).step_by(clients) {
                    if enough.load(Ordering::Relaxed) {
                        break;
                    }
                    done.push(act(turn).await);
                    counted.send_modify(|count| *count += 1);
                }
                done
            });
        }
        Self { enough, count, clients: set }
    }

    /// Waits until so many more turns are taken.
    pub(super) async fn go_on(&mut self, turns: usize) {
        let enough = *self.count.borrow() + turns;
        let reached = timeout(PATIENCE, self.count.wait_for(|count| *count >= enough)).await;
        let reached = reached.unwrap_or_else(|_| panic!("not {turns} turns in {PATIENCE:?}")).is_ok();
        assert!(reached, "a client has failed");
    }

    /// Waits for the last turns, and gives what came of all.
    pub(super) async fn finish(self) -> Vec<T> {
        self.enough.store(true, Ordering::Relaxed);
        let done = timeout(PATIENCE, self.clients.join_all()).await.expect("turns end in time");
        done.into_iter().flatten().collect()
    }
}

/// Repeats a request with its key until it is answered with one of these; nothing but "not now" may come before.
pub(super) async fn repeated(wanted: &[u16], key: Uuid, request: impl Fn() -> RequestBuilder) -> Answer {
    let key = key.to_string();
    eventually_within(PATIENCE, "a request is answered", async || {
        let answer = request().header("idempotency-key", &key).try_answer().await?;
        assert!(answer.status == 503 || wanted.contains(&answer.status), "{} {}", answer.status, answer.body);
        (answer.status != 503).then_some(answer)
    })
    .await
}
