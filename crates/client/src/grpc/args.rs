//! The settings of calls by gRPC; those that they share with other calls are in [`CallArgs`](crate::CallArgs).

use std::time::Duration;

use clap::Args;
use service::seconds;

use crate::ServiceUrls;

/// How other services are called by gRPC.
#[derive(Args, Clone, Debug)]
pub struct GrpcCallArgs {
    /// Where services answer gRPC that the registry knows no instance of: `owners=http://127.0.0.1:40000`, with commas between
    /// them; a service may be there several times.
    #[arg(long, env = "GRPC_URLS", default_value = "")]
    pub grpc_urls: ServiceUrls,

    /// Seconds that a call by gRPC may take, with all its tries.
    #[arg(long, env = "GRPC_TIMEOUT", value_parser = seconds, default_value = "2")]
    pub grpc_timeout: Duration,
}
