//! Telling the registry that this program is there, for as long as it is.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use contracts::registry::{GRPC_PORT, Instance, InstanceRef, Register};
use http::StatusCode;
use http::uri::Authority;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::registry::{Registry, refusal};
use crate::transport::Transport;
use crate::{RegistryArgs, backoff};

const READY_CHECK: Duration = Duration::from_millis(100);
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long leaving may take.
const LEAVING: Duration = Duration::from_secs(2);

/// How long callers are given to hear of it.
const GRACE: Duration = Duration::from_millis(500);

/// A program's place in the registry, kept in the background until this is dropped.
#[derive(Debug)]
#[must_use = "the program is registered for as long as this is kept"]
pub struct Registration(Option<Running>);

#[derive(Debug)]
struct Running {
    leave: CancellationToken,
    /// Ends with whether the instance was registered and has left.
    task: JoinHandle<bool>,
}

impl Registration {
    /// Registers the program as an instance of `service` once it is ready, and sends signs of life from then on. `address` is
    /// what it listens on. Without a registry in the settings it does nothing.
    ///
    /// # Errors
    /// If the settings cannot be used.
    pub fn start(
        args: &RegistryArgs,
        service: &'static str,
        version: &'static str,
        address: SocketAddr,
        ready: impl Fn() -> bool + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        Self::with_grpc(args, service, version, address, None, ready)
    }

    /// The same for a program that may serve gRPC as well, at an address of its own.
    ///
    /// # Errors
    /// If the settings cannot be used.
    pub fn with_grpc(
        args: &RegistryArgs,
        service: &'static str,
        version: &'static str,
        address: SocketAddr,
        grpc_address: Option<SocketAddr>,
        ready: impl Fn() -> bool + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let mut metadata = BTreeMap::from([("version".to_owned(), version.to_owned())]);
        metadata.extend(grpc_address.map(|address| (GRPC_PORT.to_owned(), address.port().to_string())));
        let Some(registry) = Registry::new(args, Transport::new())? else { return Ok(Self(None)) };
        let leave = CancellationToken::new();
        let member = Member {
            registry,
            service,
            id: format!("{service}-{}", Uuid::now_v7()),
            metadata,
            host: args.service_host.clone().filter(|host| !host.is_empty()),
            address,
            every: args.heartbeat_every,
            leave: leave.clone(),
        };
        let task = tokio::spawn(async move { member.run(ready).await });
        Ok(Self(Some(Running { leave, task })))
    }

    /// A token that is cancelled once `stop` is and the instance has left the registry, so that callers go elsewhere before
    /// the program stops answering. That is limited to two and a half seconds.
    #[must_use]
    pub fn leave_before(mut self, stop: CancellationToken) -> CancellationToken {
        let left = CancellationToken::new();
        let leaving = left.clone().drop_guard();
        tokio::spawn(async move {
            stop.cancelled().await;
            if let Some(running) = &mut self.0 {
                running.leave.cancel();
                let was_there = tokio::time::timeout(LEAVING, &mut running.task).await;
                if !matches!(was_there, Ok(Ok(false))) {
                    tokio::time::sleep(GRACE).await;
                }
            }
            drop(leaving);
        });
        left
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Member {
    registry: Registry,
    service: &'static str,
    id: String,
    metadata: BTreeMap<String, String>,
    host: Option<String>,
    address: SocketAddr,
    every: Duration,
    leave: CancellationToken,
}

impl Member {
    async fn run(self, ready: impl Fn() -> bool) -> bool {
        while !ready() {
            if !self.wait(READY_CHECK).await {
                return false;
            }
        }
        let mut registered = false;
        let mut failures = 0;
        loop {
            let told = if registered { self.heartbeat().await } else { self.register().await };
            let wait = match told {
                Ok(still_known) => {
                    if failures > 0 && registered {
                        tracing::info!(instance = self.id, "the registry hears of us again");
                    }
                    failures = 0;
                    registered = still_known;
                    if still_known { self.every } else { Duration::ZERO }
                }
                Err(error) => {
                    if failures == 0 {
                        tracing::warn!(error = format!("{error:#}"), "the registry does not hear of us");
                    }
                    failures += 1;
                    backoff::wait(FIRST_WAIT, LONGEST_WAIT, failures).min(self.every)
                }
            };
            if !self.wait(wait).await {
                break;
            }
        }
        self.deregister().await;
        registered
    }

    /// Whether the program goes on after a while.
    async fn wait(&self, time: Duration) -> bool {
        self.leave.run_until_cancelled(tokio::time::sleep(time)).await.is_some()
    }

    async fn register(&self) -> anyhow::Result<bool> {
        let host = self.host().await?;
        let metadata = self.metadata.clone();
        let instance = Instance { id: self.id.clone(), host, port: self.address.port(), metadata };
        let register = Register { service: self.service.to_owned(), instance };
        let answer = self.registry.post("/register", &register).await?;
        anyhow::ensure!(answer.0.is_success(), refusal(&answer));
        let Register { instance: Instance { host, port, .. }, .. } = register;
        tracing::info!(service = self.service, instance = self.id, host, port, "registered");
        Ok(true)
    }

    /// Whether the registry knows us.
    async fn heartbeat(&self) -> anyhow::Result<bool> {
        let answer = self.registry.post("/heartbeat", &self.reference()).await?;
        if answer.0 == StatusCode::NOT_FOUND {
            tracing::info!(instance = self.id, "the registry does not know us and is told again");
            return Ok(false);
        }
        anyhow::ensure!(answer.0.is_success(), refusal(&answer));
        Ok(true)
    }

    /// Also when nothing is known of a success: the answer to the last registration may have been lost.
    async fn deregister(&self) {
        match self.registry.post("/deregister", &self.reference()).await {
            Ok(answer) if answer.0.is_success() => tracing::info!(instance = self.id, "deregistered"),
            Ok(answer) => tracing::warn!(instance = self.id, error = refusal(&answer), "not deregistered"),
            Err(error) => tracing::warn!(instance = self.id, error = format!("{error:#}"), "not deregistered"),
        }
    }

    fn reference(&self) -> InstanceRef {
        InstanceRef { service: self.service.to_owned(), instance_id: self.id.clone() }
    }

    /// Where others reach us: as the settings say, where we listen, or by the address that leads to the registry.
    async fn host(&self) -> anyhow::Result<String> {
        if let Some(host) = &self.host {
            return Ok(host.clone());
        }
        let ip = self.address.ip().to_canonical();
        if !ip.is_unspecified() {
            return Ok(ip.to_string());
        }
        let mut last = Err(anyhow::anyhow!("there is no registry"));
        for (_, replica) in self.registry.replicas() {
            last = route_to(replica).await.with_context(|| format!("looking for the way to the registry at {replica}"));
            if let Ok(ip) = &last {
                return Ok(ip.to_string());
            }
        }
        last.map(|ip| ip.to_string())
    }
}

/// Our address on the way there. Connecting a UDP socket sends nothing, but makes the system choose.
async fn route_to(replica: &Authority) -> anyhow::Result<IpAddr> {
    let host = replica.host().trim_matches(['[', ']']);
    let looked_up = tokio::net::lookup_host((host, replica.port_u16().unwrap_or(80)));
    let mut found = tokio::time::timeout(LEAVING, looked_up).await.context("the lookup took too long")??;
    let registry = found.next().context("the name has no address")?;
    let any: IpAddr = if registry.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(registry).await?;
    Ok(socket.local_addr()?.ip().to_canonical())
}
