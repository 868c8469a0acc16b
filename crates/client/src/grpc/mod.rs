//! Calls between services by gRPC, with the discovery, balancing, breakers and repetitions that calls by HTTP have.
//!
//! ```no_run
//! # async fn call(registry: &client::RegistryArgs, calls: &client::CallArgs, grpc: &client::grpc::GrpcCallArgs) -> anyhow::Result<()> {
//! # let stop = tokio_util::sync::CancellationToken::new();
//! # struct OwnerServiceClient(client::grpc::Channel);
//! # impl OwnerServiceClient { fn new(channel: client::grpc::Channel) -> Self { Self(channel) } }
//! let services = client::grpc::GrpcServices::start(registry, calls, grpc, "products", &stop)?;
//! let mut owners = OwnerServiceClient::new(services.channel("owners").idempotent());
//! # Ok(())
//! # }
//! ```

mod answer;
mod args;
mod channel;
mod send;
mod status;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tokio_util::sync::CancellationToken;

pub use args::GrpcCallArgs;
pub use channel::Channel;

use self::transport::Transport;
use crate::discovery::{Discovery, Protocol};
use crate::registry::Registry;
use crate::{CallArgs, InstanceReport, RegistryArgs};

/// Everything a process knows of the services it calls by gRPC; one for the whole process.
#[derive(Clone, Debug)]
pub struct GrpcServices(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    discovery: Arc<Discovery>,
    transport: Transport,
    caller: HeaderValue,
    timeout: Duration,
    tries: u32,
    backoff: Duration,
}

impl GrpcServices {
    /// Begins to follow the registry, until `stop`; calls can be made also after that. `caller` is this program's name.
    ///
    /// # Errors
    /// If the settings cannot be used.
    pub fn start(
        registry: &RegistryArgs,
        calls: &CallArgs,
        grpc: &GrpcCallArgs,
        caller: &'static str,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let registry = Registry::new(registry, crate::transport::Transport::new())?;
        let args = CallArgs { service_urls: grpc.grpc_urls.clone(), ..calls.clone() };
        let (tries, backoff) = (args.call_tries, args.call_backoff);
        Ok(Self(Arc::new(Inner {
            discovery: Discovery::start(registry, Protocol::Grpc, args, stop),
            transport: Transport::new(),
            caller: HeaderValue::from_static(caller),
            timeout: grpc.grpc_timeout,
            tries,
            backoff,
        })))
    }

    /// The way to a service, for its generated client. Cheap to clone.
    pub fn channel(&self, service: &'static str) -> Channel {
        Channel::new(self.clone(), service)
    }

    /// How the known instances are.
    pub fn report(&self) -> Vec<InstanceReport> {
        self.0.discovery.report()
    }
}
