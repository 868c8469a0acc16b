//! Which entries this process is at, so that its sweep leaves them alone, and how many it may keep in memory.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::Entry;

/// The entries that this process is at. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Claims(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most_entries: usize,
    most_bytes: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    ids: HashSet<Uuid>,
    bytes: usize,
}

impl Claims {
    pub(super) fn new(most_entries: usize, most_bytes: usize) -> Self {
        Self(Arc::new(Shared { most_entries, most_bytes, held: Mutex::default() }))
    }

    /// Claims an entry for the time that the claim lives, unless it is claimed already.
    pub(super) fn take(&self, entry: &Entry) -> Option<Claim> {
        self.insert(self.0.held(), entry)
    }

    /// Likewise, but not if that would be more than this process may keep.
    pub(super) fn take_within_limit(&self, entry: &Entry) -> Option<Claim> {
        let held = self.0.held();
        let room = held.ids.len() < self.0.most_entries && held.bytes + entry.bytes() <= self.0.most_bytes;
        room.then(|| self.insert(held, entry)).flatten()
    }

    fn insert(&self, mut held: MutexGuard<'_, Held>, entry: &Entry) -> Option<Claim> {
        let (id, bytes) = (entry.id(), entry.bytes());
        held.ids.insert(id).then(|| {
            held.bytes += bytes;
            Claim { id, bytes, shared: Arc::clone(&self.0) }
        })
    }
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One entry's claim, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    id: Uuid,
    bytes: usize,
    shared: Arc<Shared>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut held = self.shared.held();
        held.ids.remove(&self.id);
        held.bytes -= self.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outgoing;

    fn entry(bytes: usize) -> Entry {
        Entry::new(Outgoing::raw("", "q", "k", "x".repeat(bytes)))
    }

    #[test]
    fn an_entry_is_claimed_once_at_a_time() {
        let claims = Claims::new(10, 1000);
        let one = entry(1);
        let claim = claims.take(&one).unwrap();
        assert!(claims.take(&one).is_none() && claims.take_within_limit(&one).is_none());
        drop(claim);
        assert!(claims.take_within_limit(&one).is_some());
    }

    #[test]
    fn no_more_is_kept_than_the_limits_allow() {
        let claims = Claims::new(2, 100);
        let first = claims.take_within_limit(&entry(60)).unwrap();
        assert!(claims.take_within_limit(&entry(60)).is_none(), "too many bytes");
        let _second = claims.take_within_limit(&entry(40)).unwrap();
        assert!(claims.take_within_limit(&entry(0)).is_none(), "too many entries");
        drop(first);
        assert!(claims.take_within_limit(&entry(60)).is_some());
    }
}
