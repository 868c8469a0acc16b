//! One watcher: what it was told, and what it is to be told next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tokio::sync::watch::Receiver;

use super::view::{Announced, Seen};

/// A watcher. One that is slow is told of the last of several changes: each tells all there is.
#[derive(Debug)]
pub(super) struct Watching {
    seen: Receiver<Arc<Seen>>,
    /// `None` for all services.
    wanted: Option<BTreeSet<String>>,
    /// By service; `None` if it was told that there is no such service.
    told: BTreeMap<String, Option<Arc<Announced>>>,
    next: VecDeque<Arc<Announced>>,
}

impl Watching {
    pub(super) fn new(mut seen: Receiver<Arc<Seen>>, wanted: Option<BTreeSet<String>>) -> Self {
        seen.mark_changed();
        Self { seen, wanted, told: BTreeMap::new(), next: VecDeque::new() }
    }

    /// What the watcher is to be told next: first all there is, then each change.
    pub(super) async fn next(&mut self) -> Option<Arc<Announced>> {
        while self.next.is_empty() {
            self.seen.changed().await.ok()?;
            let seen = self.seen.borrow_and_update().clone();
            self.compare(&seen);
        }
        self.next.pop_front()
    }

    fn compare(&mut self, seen: &Seen) {
        let names: BTreeSet<String> = match &self.wanted {
            Some(wanted) => wanted.clone(),
            None => seen.services.keys().chain(self.told.keys()).cloned().collect(),
        };
        for name in names {
            let now = seen.services.get(&name).map(|known| &known.announced);
            let is_told = self.told.get(&name).is_some_and(|before| is_same(before.as_ref(), now));
            if !is_told {
                self.next.extend(now.cloned().or_else(|| nobody(&name, seen.revision)));
                self.told.insert(name, now.cloned());
            }
        }
        if self.wanted.is_none() {
            // Who is told of all services need not hear again that one is gone.
            self.told.retain(|_, told| told.is_some());
        }
    }
}

/// Whether it need not be told again. That nobody is healthy and that nobody is there are the same to a caller.
fn is_same(before: Option<&Arc<Announced>>, now: Option<&Arc<Announced>>) -> bool {
    let is_empty =
        |announced: Option<&Arc<Announced>>| announced.is_none_or(|announced| announced.instances.is_empty());
    match (before, now) {
        (Some(before), Some(now)) if Arc::ptr_eq(before, now) => true,
        _ => is_empty(before) && is_empty(now),
    }
}

/// A service without instances.
fn nobody(service: &str, revision: i64) -> Option<Arc<Announced>> {
    Announced::new(service, revision, Vec::new()).map(Arc::new).ok()
}

#[cfg(test)]
mod tests {
    use contracts::registry::Instance;
    use futures_util::FutureExt;

    use super::super::view::{Known, View};
    use super::*;

    /// Services with the ids of their instances.
    fn seen(revision: i64, before: &Seen, services: &[(&str, &[&str])]) -> Seen {
        let instance = |id: &&str| Instance {
            id: (*id).to_owned(),
            host: "127.0.0.1".to_owned(),
            port: 1,
            metadata: BTreeMap::new(),
        };
        let known = services.iter().map(|(name, ids)| {
            let instances: Vec<_> = ids.iter().map(instance).collect();
            let same = before.services.get(*name).filter(|known| known.announced.instances == instances);
            let new = || Arc::new(Announced::new(name, revision, instances.clone()).unwrap());
            let announced = same.map_or_else(new, |known| known.announced.clone());
            ((*name).to_owned(), Known { revision, announced })
        });
        Seen { epoch: 1, revision, services: known.collect() }
    }

    /// What a watcher is told now: services with the number of their instances.
    fn told(watching: &mut Watching) -> Vec<(i64, String)> {
        std::iter::from_fn(|| watching.next().now_or_never().flatten())
            .map(|announced| (announced.revision, announced.json.clone()))
            .map(|(revision, json)| (revision, json.matches("\"id\"").count(), json))
            .map(|(revision, count, json)| (revision, format!("{} {count}", json.split('"').nth(3).unwrap())))
            .collect()
    }

    fn texts(told: &[(i64, String)]) -> Vec<(i64, &str)> {
        told.iter().map(|(revision, text)| (*revision, text.as_str())).collect()
    }

    #[test]
    fn first_comes_all_there_is_and_then_only_what_changed() {
        let view = View::new();
        let first = seen(7, &Seen::default(), &[("a", &["a1"]), ("b", &["b1", "b2"])]);
        view.show(first.clone());
        let mut watching = Watching::new(view.follow(), None);
        assert_eq!(texts(&told(&mut watching)), [(7, "a 1"), (7, "b 2")]);
        let second = seen(8, &first, &[("a", &["a1"]), ("b", &["b2"]), ("c", &[])]);
        view.show(second.clone());
        assert_eq!(texts(&told(&mut watching)), [(8, "b 1"), (8, "c 0")]);
        view.show(seen(9, &second, &[("b", &["b2"])]));
        // That nobody is healthy there, it was told before.
        assert_eq!(texts(&told(&mut watching)), [(9, "a 0")]);
        view.show(seen(10, &second, &[("b", &["b2"])]));
        assert!(told(&mut watching).is_empty());
    }

    #[test]
    fn who_names_services_is_told_of_these_also_when_there_are_none() {
        let view = View::new();
        let wanted = Some(["b".to_owned(), "x".to_owned()].into());
        let mut watching = Watching::new(view.follow(), wanted);
        assert_eq!(texts(&told(&mut watching)), [(0, "b 0"), (0, "x 0")]);
        let first = seen(1, &Seen::default(), &[("a", &["a1"]), ("b", &["b1"])]);
        view.show(first.clone());
        assert_eq!(texts(&told(&mut watching)), [(1, "b 1")]);
        view.show(seen(2, &first, &[]));
        assert_eq!(texts(&told(&mut watching)), [(2, "b 0")]);
    }

    #[test]
    fn a_slow_watcher_is_told_of_the_last_change_only() {
        let view = View::new();
        let mut watching = Watching::new(view.follow(), None);
        let mut last = Seen::default();
        for revision in 1..=100 {
            let ids: Vec<String> = (0..revision).map(|id| id.to_string()).collect();
            last = seen(revision, &last, &[("a", &ids.iter().map(String::as_str).collect::<Vec<_>>())]);
            view.show(last.clone());
        }
        assert_eq!(texts(&told(&mut watching)), [(100, "a 100")]);
    }

    #[test]
    fn places_are_bounded_and_given_back() {
        let view = View::new();
        let places: Vec<_> = std::iter::from_fn(|| view.place()).collect();
        assert_eq!((places.len(), view.watchers()), (1_000, 1_000));
        drop(places);
        assert!(view.place().is_some());
    }
}
