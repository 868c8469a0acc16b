//! Which instance gets a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::Balancing;
use crate::instance::{Attempt, Instance};

/// Chooses among the instances of one service.
#[derive(Debug)]
pub(crate) struct Balancer {
    strategy: Balancing,
    turn: AtomicUsize,
}

/// What can be done with a call.
#[derive(Debug)]
pub(crate) enum Chosen {
    /// An instance that has not had this call yet.
    Fresh(Attempt),
    /// There is only one that has failed with it before.
    Again(Attempt),
    /// None may be called now.
    AllOpen(Duration),
    /// There is none.
    Nobody,
}

impl Balancer {
    pub(crate) fn new(strategy: Balancing) -> Self {
        // Not all processes begin with the same instance.
        Self { strategy, turn: AtomicUsize::new(rand::random_range(0..1 << 16)) }
    }

    /// Chooses an instance whose breaker lets the call through: rather one that was not tried and that has not just refused a
    /// connection.
    pub(crate) fn choose(&self, instances: &[Arc<Instance>], tried: &[Arc<Instance>]) -> Chosen {
        if instances.is_empty() {
            return Chosen::Nobody;
        }
        let round = self.round(instances, tried);
        if let Some(attempt) = round.fresh(tried) {
            return Chosen::Fresh(attempt);
        }
        if let Some(attempt) = round.among(|_| true) {
            return Chosen::Again(attempt);
        }
        let retry_after = instances.iter().map(|instance| instance.retry_after(round.now)).min();
        Chosen::AllOpen(retry_after.unwrap_or_default())
    }

    /// Chooses one that was not tried, if there is any.
    pub(crate) fn choose_other(&self, instances: &[Arc<Instance>], tried: &[Arc<Instance>]) -> Option<Attempt> {
        self.round(instances, tried).fresh(tried)
    }

    fn round<'a>(&self, instances: &'a [Arc<Instance>], tried: &[Arc<Instance>]) -> Round<'a> {
        // A repetition takes nobody's turn: of two instances of which one is broken, it would always take that of the other.
        let random = self.strategy == Balancing::Random || !tried.is_empty();
        let turn = if random { rand::random_range(0..1 << 16) } else { self.turn.fetch_add(1, Ordering::Relaxed) };
        Round { instances, least: self.strategy == Balancing::LeastConnections, turn, now: Instant::now() }
    }
}

/// One choice.
struct Round<'a> {
    instances: &'a [Arc<Instance>],
    /// Only the least busy ones take turns.
    least: bool,
    turn: usize,
    now: Instant,
}

impl Round<'_> {
    fn fresh(&self, tried: &[Arc<Instance>]) -> Option<Attempt> {
        let untried = |instance: &Arc<Instance>| !tried.iter().any(|tried| Arc::ptr_eq(tried, instance));
        self.among(|instance| untried(instance) && !instance.is_shunned(self.now)).or_else(|| self.among(untried))
    }

    fn among(&self, suits: impl Fn(&Arc<Instance>) -> bool) -> Option<Attempt> {
        // Another call may take the probe's place in between; then this one looks again.
        for _ in 0..=self.instances.len() {
            let suitable = || self.instances.iter().filter(|instance| suits(instance) && instance.would_pass(self.now));
            // Turns are taken among those that can be called: the next one does not get what a broken one would have had.
            let count = suitable().count();
            let turn = self.turn.checked_rem(count)?;
            let chosen = if self.least {
                let busy =
                    |(at, instance): &(usize, &Arc<Instance>)| (instance.in_flight(), (at + count - turn) % count);
                suitable().enumerate().min_by_key(busy).map(|(_, instance)| instance)
            } else {
                suitable().nth(turn)
            };
            if let Some(attempt) = chosen.and_then(|instance| instance.attempt(self.now)) {
                return Some(attempt);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::breaker::BreakerPolicy;

    fn instances(ids: &[&str]) -> Vec<Arc<Instance>> {
        let policy = BreakerPolicy { failures: 5, open: Duration::from_secs(60) };
        let new = |id: &&str| Instance::new(&"test".into(), id, "127.0.0.1:80".parse().unwrap(), policy).unwrap();
        ids.iter().map(new).collect()
    }

    fn chosen(chosen: Chosen) -> (Attempt, bool) {
        match chosen {
            Chosen::Fresh(attempt) => (attempt, true),
            Chosen::Again(attempt) => (attempt, false),
            none => panic!("nobody was chosen: {none:?}"),
        }
    }

    fn break_it(instance: &Arc<Instance>) {
        for _ in 0..5 {
            instance.attempt(Instant::now()).expect("its breaker is closed").failed();
        }
    }

    fn counts(balancer: &Balancer, instances: &[Arc<Instance>], calls: usize) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for _ in 0..calls {
            let (mut attempt, fresh) = chosen(balancer.choose(instances, &[]));
            assert!(fresh);
            attempt.succeeded();
            *counts.entry(attempt.instance().id().to_owned()).or_default() += 1;
        }
        counts
    }

    fn even(counts: &BTreeMap<String, usize>, each: usize) {
        assert!(counts.values().all(|count| *count == each), "{counts:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn turns_are_even_also_among_those_that_are_left() {
        let instances = instances(&["a", "b", "c"]);
        let balancer = Balancer::new(Balancing::RoundRobin);
        even(&counts(&balancer, &instances, 300), 100);
        break_it(&instances[1]);
        let two = counts(&balancer, &instances, 300);
        assert_eq!(two.len(), 2);
        even(&two, 150);
        instances[0].shun(Instant::now());
        instances[2].shun(Instant::now());
        even(&counts(&balancer, &instances, 300), 150);
    }

    #[tokio::test(start_paused = true)]
    async fn chance_reaches_all() {
        let counts = counts(&Balancer::new(Balancing::Random), &instances(&["a", "b", "c"]), 3_000);
        assert!(counts.len() == 3 && counts.values().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_fewest_calls_in_flight_win_and_ties_take_turns() {
        let instances = instances(&["a", "b", "c"]);
        let balancer = Balancer::new(Balancing::LeastConnections);
        even(&counts(&balancer, &instances, 300), 100);
        let _busy: Vec<_> = (0..2).map(|_| instances[0].attempt(Instant::now()).unwrap()).collect();
        let _busier: Vec<_> = (0..3).map(|_| instances[1].attempt(Instant::now()).unwrap()).collect();
        assert_eq!(counts(&balancer, &instances, 10), BTreeMap::from([("c".to_owned(), 10)]));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_refused_a_connection_is_the_second_choice_for_a_second() {
        let instances = instances(&["a", "b"]);
        let balancer = Balancer::new(Balancing::RoundRobin);
        instances[0].shun(Instant::now());
        assert_eq!(counts(&balancer, &instances, 10).len(), 1);
        let (attempt, fresh) = chosen(balancer.choose(&instances, &instances[1..]));
        assert!(fresh && attempt.instance().id() == "a", "the one that is left is not chosen");
        tokio::time::advance(Duration::from_millis(1_001)).await;
        assert_eq!(counts(&balancer, &instances, 10).len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_was_tried_is_chosen_only_if_there_is_no_other() {
        let instances = instances(&["a", "b"]);
        let balancer = Balancer::new(Balancing::RoundRobin);
        assert!(balancer.choose_other(&instances, &instances).is_none());
        assert!(!chosen(balancer.choose(&instances, &instances)).1);
        for _ in 0..10 {
            let (attempt, fresh) = chosen(balancer.choose(&instances, &instances[..1]));
            assert!(fresh && attempt.instance().id() == "b");
        }
        assert!(matches!(balancer.choose(&[], &[]), Chosen::Nobody));
    }

    #[tokio::test(start_paused = true)]
    async fn a_repetition_takes_nobodys_turn() {
        let instances = instances(&["a", "b"]);
        let balancer = Balancer::new(Balancing::RoundRobin);
        let mut first = BTreeMap::<_, usize>::new();
        for _ in 0..10 {
            let (attempt, _) = chosen(balancer.choose(&instances, &[]));
            *first.entry(attempt.instance().id().to_owned()).or_default() += 1;
            let (other, _) = chosen(balancer.choose(&instances, std::slice::from_ref(attempt.instance())));
            assert_ne!(other.instance().id(), attempt.instance().id());
        }
        even(&first, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn many_at_once_send_one_probe() {
        let instances = instances(&["a"]);
        let balancer = Balancer::new(Balancing::RoundRobin);
        break_it(&instances[0]);
        tokio::time::advance(Duration::from_secs(45)).await;
        assert!(matches!(balancer.choose(&instances, &[]), Chosen::AllOpen(left) if left == Duration::from_secs(15)));
        tokio::time::advance(Duration::from_secs(15)).await;

        // Threads have no paused clock of their own, so they are told the time.
        let round = balancer.round(&instances, &[]);
        for _ in 0..200 {
            let probes: Vec<Attempt> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| round.among(|_| true))).collect();
                threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(probes.len(), 1);
            // Dropped, it frees its place for the next round.
        }
    }
}
