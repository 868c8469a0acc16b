//! How a process and what it depends on are, for people, load balancers and Prometheus.

mod dependency;
mod report;
mod routes;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use messaging::ConsumerStatus;

use dependency::Dependency;
pub use dependency::Need;
pub use report::{DependencyReport, HealthReport, Status};
pub(crate) use routes::{ROUTES, openapi};

type Detail = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;
type Condition = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What a process depends on, and when it is ready.
#[derive(Clone)]
pub struct Health {
    service: &'static str,
    version: &'static str,
    started: Instant,
    dependencies: Vec<Arc<Dependency>>,
    conditions: Vec<(&'static str, Condition)>,
    details: Vec<(&'static str, Detail)>,
}

impl Health {
    /// A process that depends on nothing and is ready; `version` is `env!("CARGO_PKG_VERSION")`.
    pub fn new(service: &'static str, version: &'static str) -> Self {
        Self {
            service,
            version,
            started: Instant::now(),
            dependencies: Vec::new(),
            conditions: Vec::new(),
            details: Vec::new(),
        }
    }

    /// Adds a dependency that `check` asks; it is asked at most once a second and has two seconds to answer.
    #[must_use]
    pub fn dependency<C, F, E>(mut self, name: &'static str, need: Need, check: C) -> Self
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        self.dependencies.push(Arc::new(Dependency::new(name, need, check)));
        self
    }

    /// Adds a condition for being ready; its error says what is waited for.
    #[must_use]
    pub fn ready_when(
        mut self,
        name: &'static str,
        condition: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.conditions.push((name, Arc::new(condition)));
        self
    }

    /// Adds a consumer; one that waits for its store is listed as down. With [`Need::Required`] the process is not ready before the
    /// broker has it.
    #[must_use]
    pub fn consumer(self, queue: &'static str, status: ConsumerStatus, need: Need) -> Self {
        let registered = status.clone();
        let health = self.dependency(queue, Need::Optional, move || std::future::ready(status.working()));
        match need {
            Need::Required => health.ready_when(queue, move || registered.ready()),
            Need::Optional => health,
        }
    }

    /// Adds something that `/status` tells, under `details`.
    #[must_use]
    pub fn status_detail(
        mut self,
        name: &'static str,
        detail: impl Fn() -> serde_json::Value + Send + Sync + 'static,
    ) -> Self {
        self.details.push((name, Arc::new(detail)));
        self
    }

    /// Asks all dependencies at the same time.
    pub async fn report(&self) -> HealthReport {
        let dependencies = join_all(self.dependencies.iter().map(|dependency| dependency.report())).await;
        let is_down = |need: Need| {
            dependencies
                .iter()
                .any(|(_, report)| report.required == (need == Need::Required) && report.status == Status::Down)
        };
        let status = if is_down(Need::Required) {
            Status::Down
        } else if is_down(Need::Optional) {
            Status::Degraded
        } else {
            Status::Up
        };
        HealthReport {
            status,
            service: self.service,
            version: self.version,
            dependencies: dependencies.into_iter().collect(),
        }
    }

    /// Why the process is not ready, by the name of the condition; empty if it is.
    pub fn not_ready(&self) -> Vec<(&'static str, String)> {
        let failed = |(name, condition): &(&'static str, Condition)| Some((*name, condition().err()?));
        self.conditions.iter().filter_map(failed).collect()
    }

    /// Tells whether the process is ready, to whoever is to hear of it.
    pub fn readiness(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let health = self.clone();
        move || health.not_ready().is_empty()
    }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dependencies: Vec<_> = self.dependencies.iter().map(|dependency| dependency.name()).collect();
        f.debug_struct("Health")
            .field("service", &self.service)
            .field("dependencies", &dependencies)
            .finish_non_exhaustive()
    }
}
