//! What this replica last saw in the store, for those who watch it here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use contracts::registry::{Discovered, Instance};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

/// The most who can watch at the same time.
const MOST_WATCHERS: usize = 1_000;

/// The healthy instances of a service, as they are announced.
#[derive(Debug)]
pub(crate) struct Announced {
    pub(super) revision: i64,
    pub(super) instances: Vec<Instance>,
    /// Written once for all watchers.
    pub(super) json: String,
}

/// Everything that was seen at one time.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) epoch: i64,
    pub(super) revision: i64,
    pub(super) services: BTreeMap<String, Known>,
}

/// A service that was seen.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// May be newer than what was announced: not every change is one of the healthy instances.
    pub(super) revision: i64,
    pub(super) announced: Arc<Announced>,
}

/// The view of one replica.
#[derive(Debug)]
pub(crate) struct View {
    seen: watch::Sender<Arc<Seen>>,
    current: AtomicBool,
    wake: Notify,
    places: Arc<Semaphore>,
}

impl Announced {
    pub(super) fn new(service: &str, revision: i64, instances: Vec<Instance>) -> Result<Self, serde_json::Error> {
        let discovered = Discovered { service: service.to_owned(), instances };
        let json = serde_json::to_string(&discovered)?;
        Ok(Self { revision, instances: discovered.instances, json })
    }
}

impl View {
    pub(crate) fn new() -> Self {
        Self {
            seen: watch::Sender::new(Arc::default()),
            current: AtomicBool::new(false),
            wake: Notify::new(),
            places: Arc::new(Semaphore::new(MOST_WATCHERS)),
        }
    }

    /// Whether the last look at the store succeeded, otherwise why there is nothing to be told.
    pub(crate) fn is_current(&self) -> Result<(), String> {
        let current = self.current.load(Ordering::Relaxed);
        current.then_some(()).ok_or_else(|| "the registry's store does not answer".to_owned())
    }

    /// A place among the watchers, if one is free.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// How many watch now.
    pub(super) fn watchers(&self) -> usize {
        MOST_WATCHERS - self.places.available_permits()
    }

    /// What was seen, and what will be.
    pub(super) fn follow(&self) -> watch::Receiver<Arc<Seen>> {
        self.seen.subscribe()
    }

    /// Asks for a look at the store, now.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits until somebody asks for a look.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(super) fn seen(&self) -> Arc<Seen> {
        self.seen.borrow().clone()
    }

    /// The store was seen, and was like this.
    pub(super) fn show(&self, seen: Seen) {
        self.seen.send_replace(Arc::new(seen));
    }

    /// Whether the store can be seen; answers whether it could before.
    pub(super) fn set_current(&self, current: bool) -> bool {
        self.current.swap(current, Ordering::Relaxed)
    }
}
