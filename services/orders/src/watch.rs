//! Following orders, whichever process changes them.
//!
//! What this process changes is told at once, and so is what the events about orders tell of; for the rest one task asks the
//! database, for all that is followed at once, while anybody follows.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bson::doc;
use futures_util::TryStreamExt;
use service::documents::{Documents, in_time, state_alone};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::order::Order;

/// How many orders may be followed at the same time.
const AT_ONCE: usize = 10_000;

/// How often the database is asked when nobody tells.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How many orders it is asked for together.
const TOGETHER: usize = 500;

#[derive(Debug)]
pub(crate) struct Watch {
    documents: Documents<Order>,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    followed: HashMap<Uuid, watch::Sender<Option<Order>>>,
    heard_of: HashSet<Uuid>,
}

impl Watch {
    pub(crate) fn new(documents: Documents<Order>) -> Self {
        Self { documents, state: Mutex::default(), wake: Notify::new() }
    }

    /// Follows an order; `None` if too many are followed already.
    pub(crate) fn follow(&self, id: Uuid) -> Option<watch::Receiver<Option<Order>>> {
        let mut state = self.state();
        if state.followed.len() >= AT_ONCE && !state.followed.contains_key(&id) {
            return None;
        }
        let following = state.followed.entry(id).or_insert_with(|| watch::Sender::new(None)).subscribe();
        state.heard_of.insert(id);
        drop(state);
        self.wake.notify_one();
        Some(following)
    }

    /// Follows an order to its end, for at most so long. Returns it only if it has ended.
    pub(crate) async fn end_of(&self, id: Uuid, within: Duration) -> Option<Order> {
        let mut following = self.follow(id)?;
        let ended = |order: &Option<Order>| order.as_ref().is_some_and(Order::has_ended);
        timeout(within, following.wait_for(ended)).await.ok()?.ok()?.clone()
    }

    /// This is what became of an order.
    pub(crate) fn changed(&self, order: &Order) {
        let state = self.state();
        let Some(following) = state.followed.get(&order.id) else { return };
        following.send_if_modified(|known| {
            let is_news = known.as_ref().is_none_or(|known| known.version < order.version);
            if is_news {
                *known = Some(order.clone());
            }
            is_news
        });
    }

    /// These orders may have changed.
    pub(crate) fn heard_of(&self, ids: impl IntoIterator<Item = Uuid>) {
        let mut state = self.state();
        let State { followed, heard_of } = &mut *state;
        heard_of.extend(ids.into_iter().filter(|id| followed.contains_key(id)));
        if !heard_of.is_empty() {
            self.wake.notify_one();
        }
    }

    /// Looks for changes until the stop.
    pub(crate) async fn run(self: std::sync::Arc<Self>, stop: CancellationToken) {
        let mut next_look = Instant::now();
        loop {
            let anybody = !self.state().followed.is_empty();
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wake.notified() => {
                    let ids = self.state().heard_of.drain().collect();
                    self.look(ids).await;
                }
                () = sleep_until(next_look), if anybody => {
                    self.look(self.followed()).await;
                    next_look = Instant::now() + LOOK_EVERY;
                }
            }
        }
    }

    /// The orders that somebody still follows; the rest is forgotten.
    fn followed(&self) -> Vec<Uuid> {
        let mut state = self.state();
        state.followed.retain(|_, following| following.receiver_count() > 0);
        state.followed.keys().copied().collect()
    }

    async fn look(&self, ids: Vec<Uuid>) {
        for ids in ids.chunks(TOGETHER) {
            let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
            let collection = self.documents.collection().clone();
            let looking = in_time(async move {
                let found = collection.find(doc! { "_id": { "$in": ids } }).projection(state_alone()).await?;
                found.try_collect::<Vec<Order>>().await
            });
            match looking.await {
                Ok(orders) => orders.iter().for_each(|order| self.changed(order)),
                // Whoever waits is told in time that nothing was heard.
                Err(error) => tracing::debug!(%error, "cannot look at the orders that are followed"),
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
