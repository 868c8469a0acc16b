//! Order: what has the same key goes one after another, what has not goes at the same time.
//!
//! A broker keeps the order of one channel only, and there are several. So what follows one another lines up: within a
//! line it goes over one channel in its order, and a line waits for the one before it with the same key.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, Hash};

use tokio::sync::oneshot;

/// Lines that have ended are forgotten when there are so many of them.
const FORGET_FROM: usize = 4096;

/// What has the same key, in its order; or a single item without a key.
#[derive(Debug)]
pub(crate) struct Line<T> {
    pub(crate) items: Vec<T>,
    before: Option<oneshot::Receiver<()>>,
    /// The next line with this key goes when this one is dropped.
    _after: Option<oneshot::Sender<()>>,
}

impl<T> Line<T> {
    /// Waits until there is no line before this one any more.
    pub(crate) async fn turn(&mut self) {
        if let Some(before) = self.before.take() {
            // An error is what is awaited: the one before was dropped.
            let _ = before.await;
        }
    }
}

/// The last line of each key.
#[derive(Debug)]
pub(crate) struct Lines {
    /// By the key's hash: two keys that share one only wait for each other.
    last: HashMap<u64, oneshot::Receiver<()>>,
    hashes: RandomState,
    forget_at: usize,
}

impl Lines {
    pub(crate) fn new() -> Self {
        Self { last: HashMap::new(), hashes: RandomState::new(), forget_at: FORGET_FROM }
    }

    /// Lines items up behind those that came before.
    pub(crate) fn line_up<T, K: Hash>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> Option<K>,
    ) -> Vec<Line<T>> {
        let mut lines: Vec<Line<T>> = Vec::new();
        let mut places: HashMap<u64, usize> = HashMap::new();
        for item in items {
            let Some(hash) = key(&item).map(|key| self.hashes.hash_one(key)) else {
                lines.push(Line { items: vec![item], before: None, _after: None });
                continue;
            };
            match places.entry(hash) {
                Entry::Occupied(place) => lines[*place.get()].items.push(item),
                Entry::Vacant(place) => {
                    place.insert(lines.len());
                    let (after, ends) = oneshot::channel();
                    let before = self.last.insert(hash, ends);
                    lines.push(Line { items: vec![item], before, _after: Some(after) });
                }
            }
        }
        self.forget();
        lines
    }

    fn forget(&mut self) {
        if self.last.len() >= self.forget_at {
            self.last.retain(|_, line| matches!(line.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
            self.forget_at = FORGET_FROM.max(2 * self.last.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn key(item: &&'static str) -> Option<&'static str> {
        item.split_once(' ').map(|(key, _)| key)
    }

    #[test]
    fn what_has_the_same_key_is_in_one_line_in_its_order() {
        let lines = Lines::new().line_up(["a 1", "b 1", "none", "a 2", "none"], key);
        let items: Vec<_> = lines.into_iter().map(|line| line.items).collect();
        assert_eq!(items, [vec!["a 1", "a 2"], vec!["b 1"], vec!["none"], vec!["none"]]);
    }

    #[test]
    fn a_line_waits_for_the_one_before_it_with_the_same_key_and_for_no_other() {
        let mut lines = Lines::new();
        let mut first = lines.line_up(["a 1", "b 1", "none"], key);
        let mut second = lines.line_up(["a 2", "c 1", "none"], key);
        assert!(first.iter_mut().all(|line| line.turn().now_or_never().is_some()));
        let mut waiting = second.remove(0);
        assert!(second.iter_mut().all(|line| line.turn().now_or_never().is_some()));

        let mut turn = Box::pin(waiting.turn());
        assert!(turn.as_mut().now_or_never().is_none(), "the one before has not ended");
        first.remove(0);
        assert!(turn.now_or_never().is_some(), "the one before has ended");
    }

    #[test]
    fn lines_that_have_ended_are_forgotten() {
        let mut lines = Lines::new();
        let kept = lines.line_up([0], |item| Some(*item));
        for item in 1..=10 * FORGET_FROM {
            lines.line_up([item], |item| Some(*item));
        }
        assert!(lines.last.len() <= FORGET_FROM);
        let mut next = lines.line_up([0], |item| Some(*item)).remove(0);
        assert!(next.turn().now_or_never().is_none(), "a line was forgotten that had not ended");
        drop(kept);
    }
}
