//! Waiting for tasks to change, whichever producer hears of it.
//!
//! What this process hears of is looked up at once; for the rest one task asks the database, at short intervals and for
//! all that is waited for at once, while anybody waits.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sqlx::postgres::PgPool;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Task, store};

/// How many tasks may be waited for at the same time.
const AT_ONCE: usize = 10_000;
/// How often the database is asked, while few wait.
const INTERVAL: Duration = Duration::from_millis(25);
/// For each further so many tasks it is asked once less often.
const FEW: u32 = 250;

/// The tasks that are waited for.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    watched: HashMap<Uuid, watch::Sender<Option<Task>>>,
    heard_of: HashSet<Uuid>,
}

impl Watch {
    /// Follows a task; `None` if too many are followed already.
    pub(crate) fn follow(&self, id: Uuid) -> Option<watch::Receiver<Option<Task>>> {
        let mut state = self.state();
        if state.watched.len() >= AT_ONCE && !state.watched.contains_key(&id) {
            return None;
        }
        let receiver = state.watched.entry(id).or_insert_with(|| watch::Sender::new(None)).subscribe();
        drop(state);
        self.wake.notify_one();
        Some(receiver)
    }

    /// Follows a task to its end, for at most so long. Returns it only if it has ended.
    pub(crate) async fn end_of(&self, id: Uuid, within: Duration) -> Option<Task> {
        let mut following = self.follow(id)?;
        let ended = |task: &Option<Task>| task.as_ref().is_some_and(Task::has_ended);
        timeout(within, following.wait_for(ended)).await.ok()?.ok()?.clone()
    }

    /// These tasks have changed.
    pub(super) fn heard_of(&self, ids: &[Uuid]) {
        let mut state = self.state();
        if state.watched.is_empty() {
            return;
        }
        let State { watched, heard_of } = &mut *state;
        heard_of.extend(ids.iter().filter(|id| watched.contains_key(id)));
        if !heard_of.is_empty() {
            self.wake.notify_one();
        }
    }

    /// Looks for changes until `stop`.
    pub(crate) async fn run(self: Arc<Self>, pool: PgPool, stop: CancellationToken) {
        let mut next_look: Option<Instant> = None;
        loop {
            let looking = async {
                match next_look {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wake.notified() => {
                    let ids: Vec<Uuid> = self.state().heard_of.drain().collect();
                    self.look(&pool, ids).await;
                }
                () = looking => {
                    next_look = None;
                    self.look(&pool, self.followed()).await;
                }
            }
            // Kept if it stands already: being woken often is no reason to look at all less often.
            let followed = u32::try_from(self.state().watched.len()).unwrap_or(u32::MAX);
            if followed == 0 {
                next_look = None;
            } else if next_look.is_none() {
                next_look = Some(Instant::now() + INTERVAL * (1 + followed / FEW));
            }
        }
    }

    /// The tasks that somebody still waits for; the rest is forgotten.
    fn followed(&self) -> Vec<Uuid> {
        let mut state = self.state();
        state.watched.retain(|_, sender| sender.receiver_count() > 0);
        state.watched.keys().copied().collect()
    }

    async fn look(&self, pool: &PgPool, ids: Vec<Uuid>) {
        if ids.is_empty() {
            return;
        }
        match store::find(pool, &ids).await {
            Ok(tasks) => {
                let state = self.state();
                for task in tasks {
                    if let Some(sender) = state.watched.get(&task.id) {
                        sender.send_if_modified(|known| {
                            let is_news = known.as_ref() != Some(&task);
                            *known = Some(task);
                            is_news
                        });
                    }
                }
            }
            // Whoever waits is told in time that nothing was heard.
            Err(error) => tracing::debug!(%error, "cannot look at the tasks that are waited for"),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}
