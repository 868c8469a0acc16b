//! What the registry knows, in Redis. Each question and each change is one script, and so atomic for all replicas.

mod record;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contracts::registry::{Instance, InstanceStatus};
use redis::aio::ConnectionManager;
use redis::{FromRedisValue, RedisError, Script};
use service::ApiError;

/// The most instances of one service, services, and instances in all.
const LIMITS: [&str; 3] = ["1000", "1000", "10000"];

/// After so long without any replica, silence is not the instances' fault.
const AWAY_AFTER: Duration = Duration::from_secs(5);

/// A store that is down is looked for again within seconds.
const RETRY_AFTER: Duration = Duration::from_secs(2);

const KEYS: [&str; 6] = [
    "registry:services",
    "registry:index",
    "registry:instances",
    "registry:healthy",
    "registry:silent",
    "registry:clock",
];

/// Why something is not in the store.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Redis did not do it.
    #[error("Redis: {0}")]
    Redis(#[from] RedisError),
    /// What is in there was not put there by a registry.
    #[error("not readable: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// There is no room for one more.
    #[error("there are {limit} {what} already")]
    Full { limit: &'static str, what: &'static str },
}

/// An instance that is new, or has new metadata, or another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfThere {
    /// It takes the place of what is there.
    Replace,
    /// What is there stays.
    Keep,
}

/// Where all of it stands.
#[derive(Debug)]
pub(crate) struct Revisions {
    /// Another one means that Redis has lost what it had.
    pub(crate) epoch: i64,
    /// Of the last change.
    pub(crate) revision: i64,
    pub(crate) healthy: u32,
    pub(crate) silent: u32,
    pub(crate) services: BTreeMap<String, i64>,
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    connection: ConnectionManager,
    scripts: Arc<Scripts>,
    times: [u64; 3],
    channel: Arc<str>,
}

struct Scripts {
    register: Script,
    heartbeat: Script,
    deregister: Script,
    instances: Script,
    revisions: Script,
}

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(include_str!("sweep.lua"), include_str!($file)))
    };
}

impl Store {
    pub(crate) fn new(
        connection: ConnectionManager,
        channel: Arc<str>,
        unhealthy_after: Duration,
        forget_after: Duration,
    ) -> Self {
        let scripts = Scripts {
            register: script!("register.lua"),
            heartbeat: script!("heartbeat.lua"),
            deregister: script!("deregister.lua"),
            instances: script!("instances.lua"),
            revisions: script!("revisions.lua"),
        };
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let times = [unhealthy_after, forget_after, AWAY_AFTER].map(milliseconds);
        Self { connection, scripts: Arc::new(scripts), times, channel }
    }

    /// Puts an instance there, as healthy.
    pub(crate) async fn register(&self, service: &str, instance: &Instance, there: IfThere) -> Result<(), StoreError> {
        let json = serde_json::to_string(instance)?;
        let [of_a_service, services, in_all] = LIMITS;
        let keep = if there == IfThere::Keep { "keep" } else { "" };
        let arguments = [service, &instance.id, &json, of_a_service, services, in_all, keep];
        match self.run(&self.scripts.register, &arguments).await? {
            -1 => Err(StoreError::Full { limit: of_a_service, what: "instances of this service" }),
            -2 => Err(StoreError::Full { limit: services, what: "services" }),
            -3 => Err(StoreError::Full { limit: in_all, what: "instances" }),
            _stored => Ok(()),
        }
    }

    /// Whether the instance is known, and so counts as healthy again.
    pub(crate) async fn heartbeat(&self, service: &str, id: &str) -> Result<bool, StoreError> {
        Ok(self.run(&self.scripts.heartbeat, &[service, id]).await?)
    }

    /// Whether the instance was there.
    pub(crate) async fn deregister(&self, service: &str, id: &str) -> Result<bool, StoreError> {
        Ok(self.run(&self.scripts.deregister, &[service, id]).await?)
    }

    /// The revision of a service and its instances, in the order of their ids.
    pub(crate) async fn instances(&self, service: &str) -> Result<(i64, Vec<InstanceStatus>), StoreError> {
        let (revision, records, healthy, silent) = self.run(&self.scripts.instances, &[service]).await?;
        Ok((revision, record::read(records, healthy, silent)?))
    }

    /// Those of them that are healthy.
    pub(crate) async fn healthy(&self, service: &str) -> Result<(i64, Vec<Instance>), StoreError> {
        let (revision, all) = self.instances(service).await?;
        Ok((revision, all.into_iter().filter(|status| status.healthy).map(|status| status.instance).collect()))
    }

    pub(crate) async fn revisions(&self) -> Result<Revisions, StoreError> {
        let (epoch, revision, healthy, silent, services) = self.run(&self.scripts.revisions, &[]).await?;
        Ok(Revisions { epoch, revision, healthy, silent, services })
    }

    async fn run<T: FromRedisValue>(&self, script: &Script, arguments: &[&str]) -> Result<T, RedisError> {
        let mut invocation = script.prepare_invoke();
        invocation.key(&KEYS).arg(&self.times).arg(&*self.channel).arg(arguments);
        invocation.invoke_async(&mut self.connection.clone()).await
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full { .. } => Self::conflict(format!("no room: {error}")),
            StoreError::Redis(_) => {
                Self::unavailable("the registry's store does not answer", RETRY_AFTER).because(error)
            }
            StoreError::Unreadable(_) => Self::internal(error),
        }
    }
}
