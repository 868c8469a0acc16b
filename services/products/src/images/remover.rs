//! Removing objects that are needed no more, after whoever made them needless was answered.

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_util::sync::CancellationToken;

use super::{Key, Storage};

/// How many may wait; what is more is left to the sweep.
const MOST: usize = 1_000;

/// Names what is to be removed. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Leftovers(Sender<Key>);

/// Removes it.
#[derive(Debug)]
pub(crate) struct Remover(Receiver<Key>);

impl Leftovers {
    /// Has an object removed soon; or by the sweep, if too many wait, or the storage is away.
    pub(crate) fn remove(&self, key: Key) {
        let _ = self.0.try_send(key);
    }
}

impl Remover {
    pub(crate) fn new() -> (Leftovers, Self) {
        let (sender, keys) = mpsc::channel(MOST);
        (Leftovers(sender), Self(keys))
    }

    /// Removes what is named, until the stop.
    pub(crate) async fn run(mut self, storage: Storage, stop: CancellationToken) {
        let removing = async {
            while let Some(key) = self.0.recv().await {
                if let Err(error) = storage.delete(key).await {
                    tracing::debug!(%error, "an image that is not shown any more is left to the sweep");
                }
            }
        };
        let _ = stop.run_until_cancelled(removing).await;
    }
}
