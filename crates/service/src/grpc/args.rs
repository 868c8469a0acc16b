//! Where a program serves gRPC.

use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;
use tokio::net::TcpListener;

/// Where a program serves gRPC; `PORT` is its port when none is configured.
#[derive(Args, Clone, Copy, Debug)]
pub struct GrpcArgs<const PORT: u16> {
    /// Address and port to serve gRPC on.
    #[arg(long, env = "GRPC_LISTEN", default_value_t = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)))]
    pub grpc_listen: SocketAddr,
}

impl<const PORT: u16> GrpcArgs<PORT> {
    /// Takes the port.
    ///
    /// # Errors
    /// If that is not possible, with the name of the variable that changes it.
    pub async fn listen(&self) -> anyhow::Result<TcpListener> {
        crate::http::listen_as("GRPC_LISTEN", self.grpc_listen).await
    }
}
