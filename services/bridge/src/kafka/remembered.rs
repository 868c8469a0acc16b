//! The ids of the last events, to know one that comes again.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// The last so many ids; a newer one makes the oldest forgotten.
#[derive(Debug)]
pub(super) struct Remembered {
    most: usize,
    known: HashSet<Arc<str>>,
    in_order: VecDeque<Arc<str>>,
}

impl Remembered {
    pub(super) fn new(most: usize) -> Self {
        Self { most, known: HashSet::new(), in_order: VecDeque::new() }
    }

    pub(super) fn contains(&self, id: &str) -> bool {
        self.known.contains(id)
    }

    pub(super) fn len(&self) -> usize {
        self.in_order.len()
    }

    pub(super) fn insert(&mut self, id: &str) {
        let id: Arc<str> = id.into();
        if !self.known.insert(id.clone()) {
            return;
        }
        self.in_order.push_back(id);
        if self.in_order.len() > self.most
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first_and_nothing_is_kept_of_it() {
        let mut remembered = Remembered::new(2);
        for id in ["a", "b", "b", "c"] {
            remembered.insert(id);
        }
        assert_eq!(["a", "b", "c"].map(|id| remembered.contains(id)), [false, true, true]);
        assert_eq!((remembered.len(), remembered.known.len()), (2, 2));
    }
}
