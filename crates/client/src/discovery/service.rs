//! What is known of one service.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use contracts::registry;
use http::uri::Authority;
use tokio::time::Instant;
use tower::retry::budget::TpsBudget;

use crate::CallArgs;
use crate::balance::{Balancer, Chosen};
use crate::breaker::BreakerPolicy;
use crate::instance::{Attempt, Instance, authority};
use crate::meters::Meters;

/// More than the registry has of one service.
const MAX_INSTANCES: usize = 1_000;

/// For how long a call allows for repetitions.
const BUDGET_WINDOW: Duration = Duration::from_secs(10);

/// Repetitions in a second that are allowed also when there are few calls.
const BUDGET_FLOOR: u32 = 10;

/// What the instances are called by.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    Http,
    #[cfg_attr(not(feature = "grpc"), expect(dead_code, reason = "a feature"))]
    Grpc,
}

impl Protocol {
    /// Where an instance answers it, if it does.
    fn port(self, instance: &registry::Instance) -> Option<u16> {
        match self {
            Self::Http => Some(instance.port),
            Self::Grpc => instance.metadata.get(registry::GRPC_PORT)?.parse().ok(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Service {
    name: Arc<str>,
    protocol: Protocol,
    policy: BreakerPolicy,
    /// Those that are called: what was found, or else what the settings say.
    instances: ArcSwap<Vec<Arc<Instance>>>,
    found: Mutex<Found>,
    configured: Vec<Arc<Instance>>,
    /// How long a lookup that finds nobody is doubted.
    doubted_for: Duration,
    balancer: Balancer,
    pub(crate) budget: TpsBudget,
    meters: OnceLock<Meters>,
    born: Instant,
    /// When `found` was last known to be true, in milliseconds after `born` and one more; 0 is never.
    confirmed_at: AtomicU64,
    /// By which connection to the registry's watch.
    confirmed_by: AtomicU64,
    /// Held while it is looked up; when that began last.
    pub(super) lookup: Arc<tokio::sync::Mutex<Option<Instant>>>,
}

#[derive(Debug, Default)]
struct Found {
    /// Grows with each change, so that a slow answer does not undo what came after it.
    version: u64,
    instances: Vec<Arc<Instance>>,
    /// When a lookup first found none of them any more.
    missed_since: Option<Instant>,
}

impl Service {
    pub(super) fn new(name: &str, protocol: Protocol, args: &CallArgs) -> Self {
        let name: Arc<str> = name.into();
        let policy = BreakerPolicy { failures: args.breaker_failures, open: args.breaker_open };
        let urls = args.service_urls.0.iter().filter(|(service, _)| **service == *name);
        let configured: Vec<_> = urls
            .filter_map(|(_, url)| Instance::new(&name, url.authority().as_str(), url.authority().clone(), policy))
            .collect();
        let floor = if args.retry_budget > 0.0 { BUDGET_FLOOR } else { 0 };
        Self {
            name,
            protocol,
            policy,
            instances: ArcSwap::from_pointee(configured.clone()),
            found: Mutex::default(),
            configured,
            doubted_for: args.discovery_cache,
            balancer: Balancer::new(args.balancing),
            budget: TpsBudget::new(BUDGET_WINDOW, floor, args.retry_budget),
            meters: OnceLock::new(),
            born: Instant::now(),
            confirmed_at: AtomicU64::new(0),
            confirmed_by: AtomicU64::new(0),
            lookup: Arc::default(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Made at the first call, so that services which are only known have no series.
    pub(crate) fn meters(&self) -> &Meters {
        self.meters.get_or_init(|| Meters::new(&self.name))
    }

    pub(crate) fn instances(&self) -> Arc<Vec<Arc<Instance>>> {
        self.instances.load_full()
    }

    pub(crate) fn has_instances(&self) -> bool {
        !self.instances.load().is_empty()
    }

    /// Chooses an instance for a call.
    pub(crate) fn choose(&self, tried: &[Arc<Instance>]) -> Chosen {
        self.balancer.choose(&self.instances.load(), tried)
    }

    /// Chooses one that was not tried, if there is any.
    pub(crate) fn choose_other(&self, tried: &[Arc<Instance>]) -> Option<Attempt> {
        self.balancer.choose_other(&self.instances.load(), tried)
    }

    /// Which state of knowledge a lookup begins with.
    pub(super) fn version(&self) -> u64 {
        self.found().version
    }

    /// Replaces what was found. What comes of a lookup counts only if nothing has changed since `version`.
    ///
    /// A lookup that finds nobody is not believed at once: a registry that lost its state, or has just begun, knows of nobody
    /// until the next heartbeats. It is for as long as what was known before would have been used anyway.
    pub(super) fn replace(&self, told: &[registry::Instance], version: Option<u64>, watch: u64) {
        let mut found = self.found();
        if version.is_some_and(|version| version != found.version) {
            return;
        }
        if version.is_some() && told.is_empty() && !found.instances.is_empty() {
            let missed_since = *found.missed_since.get_or_insert_with(Instant::now);
            if missed_since.elapsed() < self.doubted_for {
                return;
            }
        }
        found.missed_since = None;
        let told: Vec<_> = told
            .iter()
            .take(MAX_INSTANCES)
            .filter_map(|told| Some((told.id.as_str(), authority(&told.host, self.protocol.port(told)?)?)))
            .collect();
        let is =
            |instance: &Arc<Instance>, (id, at): &(&str, Authority)| instance.id() == *id && instance.authority() == at;
        let gone = found.instances.iter().filter(|known| !told.iter().any(|told| is(known, told)));
        gone.for_each(|gone| gone.retire());
        // What is known of an instance, such as its breaker, holds for as long as it is told of.
        let known = |told: &(&str, Authority)| found.instances.iter().find(|known| is(known, told)).cloned();
        let instances: Vec<_> = told
            .iter()
            .filter_map(|told| known(told).or_else(|| Instance::new(&self.name, told.0, told.1.clone(), self.policy)))
            .collect();
        let called = if instances.is_empty() { &self.configured } else { &instances };
        self.instances.store(Arc::new(called.clone()));
        found.instances = instances;
        found.version += 1;
        self.confirmed_by.store(watch, Ordering::Relaxed);
        self.confirmed_at.store(self.since_born() + 1, Ordering::Relaxed);
    }

    /// Whether what was found can be relied on: the connection that told it, `watch`, still lives, or it is not old.
    pub(super) fn is_fresh(&self, watch: u64, cache: Duration) -> bool {
        if watch > 0 && self.confirmed_by.load(Ordering::Relaxed) == watch {
            return true;
        }
        match self.confirmed_at.load(Ordering::Relaxed) {
            0 => false,
            at => u128::from(self.since_born().saturating_sub(at - 1)) < cache.as_millis(),
        }
    }

    fn since_born(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
