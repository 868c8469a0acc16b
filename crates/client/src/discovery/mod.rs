//! Which instances there are: what the registry tells by itself, what it is asked, and what the settings say.

mod service;
mod sse;
mod watch;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use contracts::registry::Discovered;
use http::StatusCode;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::registry::{Registry, refusal};
use crate::{CallArgs, InstanceReport};

pub(crate) use service::{Protocol, Service};

/// As many as the registry has.
const MAX_SERVICES: usize = 1_000;

/// A service is not asked for more often than this.
const BETWEEN_LOOKUPS: Duration = Duration::from_secs(1);

/// How long a call waits for the first lookup of its service.
const FIRST_LOOKUP: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Discovery {
    /// Read with each call, replaced as a whole when one more service is called.
    services: ArcSwap<HashMap<String, Arc<Service>>>,
    adding: Mutex<()>,
    protocol: Protocol,
    args: CallArgs,
    registry: Option<Registry>,
    /// The number of the connection over which the registry tells of changes; 0 while there is none.
    watch: AtomicU64,
}

impl Discovery {
    /// Follows the registry until `stop`.
    pub(crate) fn start(
        registry: Option<Registry>,
        protocol: Protocol,
        args: CallArgs,
        stop: &CancellationToken,
    ) -> Arc<Self> {
        let follows = registry.is_some();
        let discovery = Arc::new(Self {
            services: ArcSwap::default(),
            adding: Mutex::default(),
            protocol,
            args,
            registry,
            watch: AtomicU64::new(0),
        });
        let urls = &discovery.args.service_urls.0;
        urls.iter().for_each(|(service, _)| drop(discovery.known(service)));
        if follows {
            let (stop, following) = (stop.clone(), discovery.clone());
            tokio::spawn(async move { stop.run_until_cancelled(watch::follow(&following)).await });
        }
        discovery
    }

    /// A service with what is known of it. If that is nothing, it is looked up; if it may be outdated, it is used and looked
    /// up beside. `None` if it cannot be the name of a service.
    pub(crate) async fn service(self: &Arc<Self>, name: &str) -> Option<Arc<Service>> {
        let service = self.known(name)?;
        if self.registry.is_some() && !self.is_fresh(&service) {
            if service.has_instances() {
                self.look_up_beside(&service);
            } else {
                let looking = async { self.look_up(&service, &mut *service.lookup.lock().await).await };
                let _ = tokio::time::timeout(FIRST_LOOKUP, looking).await;
            }
        }
        Some(service)
    }

    pub(crate) fn report(&self) -> Vec<InstanceReport> {
        let services = self.services.load();
        let mut services: Vec<_> = services.values().collect();
        services.sort_by_key(|service| service.name());
        let instances = services.into_iter().flat_map(|service| service.instances().as_ref().clone());
        instances.map(|instance| instance.report()).collect()
    }

    fn known(&self, name: &str) -> Option<Arc<Service>> {
        if let Some(service) = self.services.load().get(name) {
            return Some(service.clone());
        }
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let services = self.services.load();
        if let Some(service) = services.get(name) {
            return Some(service.clone());
        }
        if services.len() >= MAX_SERVICES || !is_name(name) {
            return None;
        }
        let service = Arc::new(Service::new(name, self.protocol, &self.args));
        let mut services = HashMap::clone(&services);
        services.insert(name.to_owned(), service.clone());
        self.services.store(Arc::new(services));
        Some(service)
    }

    fn is_fresh(&self, service: &Service) -> bool {
        service.is_fresh(self.watch.load(Ordering::Relaxed), self.args.discovery_cache)
    }

    fn look_up_beside(self: &Arc<Self>, service: &Arc<Service>) {
        let Ok(mut last) = service.lookup.clone().try_lock_owned() else { return };
        if is_recent(*last) {
            return;
        }
        let (discovery, service) = (self.clone(), service.clone());
        tokio::spawn(async move { discovery.look_up(&service, &mut last).await });
    }

    /// Asks the registry, which one call does for all that wait. While it does not answer, what is known stays.
    async fn look_up(&self, service: &Service, last: &mut Option<Instant>) {
        let Some(registry) = &self.registry else { return };
        if is_recent(*last) || self.is_fresh(service) {
            return;
        }
        *last = Some(Instant::now());
        let (watch, version) = (self.watch.load(Ordering::Relaxed), service.version());
        let looked_up = async {
            let answer = registry.get(&format!("/discover/{}", service.name())).await?;
            anyhow::ensure!(answer.0 == StatusCode::OK, refusal(&answer));
            Ok(serde_json::from_slice::<Discovered>(&answer.1)?)
        };
        match looked_up.await {
            Ok(discovered) => service.replace(&discovered.instances, Some(version), watch),
            Err(error) => tracing::debug!(service = service.name(), error = format!("{error:#}"), "not looked up"),
        }
    }

    /// The registry tells of a change.
    fn told(&self, discovered: &Discovered, watch: u64) {
        match self.known(&discovered.service) {
            Some(service) => service.replace(&discovered.instances, None, watch),
            None => tracing::warn!(service = discovered.service, "a service is left out: too many, or not a name"),
        }
    }
}

fn is_recent(last: Option<Instant>) -> bool {
    last.is_some_and(|at| at.elapsed() < BETWEEN_LOOKUPS)
}

/// Whether it can be a service's name, and a part of a path.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._-".contains(&c))
}
