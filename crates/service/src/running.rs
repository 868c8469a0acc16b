//! A program that runs, as its `main` and its tests hold it.

use std::net::SocketAddr;

use anyhow::Context;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A program that runs, until its stop or the end of the process.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    grpc_address: Option<SocketAddr>,
    stop: CancellationToken,
    work: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Runs a program that serves HTTP at `address`. `stop` is what ends it.
    pub fn spawn(
        address: SocketAddr,
        stop: CancellationToken,
        work: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) -> Self {
        Self { address, grpc_address: None, stop, work: tokio::spawn(work) }
    }

    /// Tells where it serves gRPC.
    #[must_use]
    pub fn with_grpc(self, address: SocketAddr) -> Self {
        Self { grpc_address: Some(address), ..self }
    }

    /// Where it serves HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it serves gRPC, if it does.
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc_address
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it was not in order.
    pub async fn ended(self) -> anyhow::Result<()> {
        self.work.await.context("the program panicked")?
    }

    /// Stops it, and waits until what is in flight is finished.
    ///
    /// # Errors
    /// If that took too long.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.ended().await
    }
}
