//! Outgoing messages inside the document that they tell of: state and message are one single-document write.
//!
//! Each document has an array `outbox` of [`Entry`]s. Whoever changes the document adds its entries in the same write,
//! and calls [`written`](DocumentOutbox::written) afterwards; the [`Relay`] publishes them and removes what the broker
//! has confirmed. No transaction is needed, and no replica set.
//!
//! What `written` was not told of, because the process died, the answer to the write was lost or too much waited
//! already, a *sweep* finds: every second each relay asks for entries that are older than two seconds. So any process
//! heals what another left behind, and nobody leads. An entry may be sent more than once, by two sweeps at the same time
//! for instance, always with the same message id, and never not at all.
//!
//! The entries of a document are sent one after another, in their order, as long as one process writes it, both servers
//! answer, and not too much waits. Else they may change places: a receiver goes by the version.
//!
//! What the broker does not take (no queue is bound, a queue is full) stays in the document, with the reason and the time
//! of the next try. Until then no sweep reads it, so it holds up nobody.
//!
//! What the owner of the documents must see to:
//!
//! - Entries are added by `$push`, or by a replacement of the document under a condition on its version, and every write
//!   that adds an entry raises the version. The relay removes entries by their ids and does not touch the version.
//! - A document with entries is never deleted: a deletion leaves a tombstone, with the entry that tells of it.
//! - Writes wait for a majority and the journal. On a replica set the collection's read concern should be `majority`, so
//!   that a sweep never sends what a failover can still undo.
//! - While the broker is away documents grow. Where each message carries the whole state, a newer one makes the older
//!   needless, and `{"$push": {"outbox": {"$each": [entry], "$slice": -50}}}` keeps the newest; where it does not, a
//!   filter `{"outbox.49": {"$exists": false}}` refuses what would be one too many.
//!
//! Times are the processes' own clocks'. A wrong clock delays or repeats messages, by no more than the longest wait
//! between tries, and loses none.

mod claims;
mod entry;
mod gauges;
mod operation;
mod pause;
mod relay;
mod replay;
mod send;
mod settings;
mod store;

use bson::Bson;
use mongodb::Collection;
use mongodb::error::Error;
use tokio::sync::mpsc;

pub use entry::Entry;
pub use operation::{ensure_indexes, in_time};
pub use relay::Relay;
pub use replay::{Replay, ReplayError, Replayed, replay};
pub use settings::RelaySettings;

use self::claims::{Claim, Claims};
use self::store::Store;
use crate::Publisher;

/// The outgoing messages in the documents of one collection. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DocumentOutbox {
    store: Store,
    claims: Claims,
    written: mpsc::Sender<Waiting>,
}

/// An entry on its way to the broker.
#[derive(Debug)]
struct Waiting {
    /// The `_id` of its document.
    document: Bson,
    entry: Entry,
    /// Held as long as this process is at it.
    _claim: Claim,
}

impl DocumentOutbox {
    /// The outbox of a collection, and the relay that publishes from it.
    ///
    /// A process that lets others relay drops the relay.
    pub fn new<T: Send + Sync>(
        collection: &Collection<T>,
        publisher: Publisher,
        settings: RelaySettings,
    ) -> (Self, Relay) {
        let store = Store::new(collection.clone_with_type());
        let claims = Claims::new(settings.waiting_entries, settings.waiting_bytes);
        let (sender, written) = mpsc::channel(settings.waiting_entries.max(1));
        let relay = Relay::new(store.clone(), claims.clone(), publisher, written, settings);
        (Self { store, claims, written: sender }, relay)
    }

    /// Makes the index that the sweep needs, if it is not there. Several processes may do this at once.
    pub async fn ensure_index(&self) -> Result<(), Error> {
        self.store.ensure_index().await
    }

    /// Has entries published at once that were just written into a document.
    ///
    /// Call it when the write was acknowledged, and only then. It never waits: where too much waits already, the sweep
    /// will find them.
    pub fn written(&self, document: impl Into<Bson>, entries: &[Entry]) {
        let document = document.into();
        for entry in entries {
            let Some(claim) = self.claims.take_within_limit(entry) else { continue };
            let waiting = Waiting { document: document.clone(), entry: entry.clone(), _claim: claim };
            if self.written.try_send(waiting).is_err() {
                return;
            }
        }
    }
}
