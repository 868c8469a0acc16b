//! A program that serves: its requests and calls, what goes on beside them, and the order in which all of it ends.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use messaging::Broker;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::http::HttpLimits;
use crate::{Background, Running, serve};

/// What a program serves, until it is told to stop. Then intake ends, what goes on beside serving is finished, and the broker is
/// left: all of it within STOP_TIMEOUT, of which serving has three fifths and what goes on beside it one.
#[must_use = "nothing is served before it is started"]
pub struct Serving {
    address: SocketAddr,
    grpc_address: Option<SocketAddr>,
    stop_timeout: Duration,
    limits: HttpLimits,
    left: CancellationToken,
    parts: Vec<BoxFuture<'static, anyhow::Result<()>>>,
}

/// How much of the time for stopping is left for what goes on beside serving.
pub fn background_timeout(stop_timeout: Duration) -> Duration {
    stop_timeout / 5
}

impl Serving {
    /// Serves HTTP until `left` is cancelled, with the limits of the program as they are configured.
    ///
    /// # Errors
    /// If the listener has no address.
    pub fn http(
        listener: TcpListener,
        router: Router,
        limits: HttpLimits,
        left: CancellationToken,
    ) -> anyhow::Result<Self> {
        let (address, stop_timeout) = (listener.local_addr()?, limits.stop_timeout);
        let limits = HttpLimits { stop_timeout: stop_timeout * 3 / 5, ..limits };
        let http = serve(listener, router, left.clone(), limits).boxed();
        Ok(Self { address, grpc_address: None, stop_timeout, limits, left, parts: vec![http] })
    }

    /// Serves gRPC as well.
    ///
    /// # Errors
    /// If the listener has no address.
    #[cfg(feature = "grpc")]
    pub fn grpc(self, listener: TcpListener, router: Router) -> anyhow::Result<Self> {
        let grpc_address = Some(listener.local_addr()?);
        let grpc = crate::grpc::serve(listener, router, self.left.clone(), self.limits);
        Ok(Self { grpc_address, ..self.also(grpc) })
    }

    /// Does this as well, which ends in time by itself once the program is told to stop.
    pub fn also(mut self, part: impl Future<Output = anyhow::Result<()>> + Send + 'static) -> Self {
        self.parts.push(part.boxed());
        self
    }

    /// Starts all of it, with these tasks beside. `stop` is what ends the program.
    pub fn start(self, background: Background, broker: Broker, stop: CancellationToken) -> Running {
        let Self { address, grpc_address, stop_timeout, parts, .. } = self;
        let work = async move {
            let serving = async { join_all(parts).await.into_iter().collect::<anyhow::Result<()>>() };
            let served = background.beside(serving, background_timeout(stop_timeout)).await;
            broker.close().await;
            tracing::info!("stopped");
            served
        };
        let running = Running::spawn(address, stop, work);
        match grpc_address {
            Some(address) => running.with_grpc(address),
            None => running,
        }
    }
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving").field("address", &self.address).finish_non_exhaustive()
    }
}
