//! Configuration, read once, in `main`.

use std::time::Duration;

use clap::Parser;
use client::grpc::GrpcCallArgs;
use client::{CallArgs, RegistryArgs};
use secrecy::SecretString;
use service::auth::AuthArgs;
use service::documents::StoreArgs;
use service::grpc::GrpcArgs;
use service::roles::RoleArgs;
use service::telemetry::LogArgs;
use service::{HttpArgs, RetryArgs};

/// Takes orders, and brings each one to an end.
#[derive(Clone, Debug, Parser)]
#[command(name = "orders", version)]
pub struct Config {
    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub roles: RoleArgs,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub http: HttpArgs<30002>,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub grpc: GrpcArgs<40002>,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub store: StoreArgs,

    /// The database of the orders in MongoDB.
    #[arg(long, env, default_value = "orders")]
    pub orders_database: String,

    /// Redis, where products are cached and sessions that have ended are named.
    #[arg(long, env, hide_env_values = true, default_value = "redis://127.0.0.1:6379")]
    pub redis_url: SecretString,

    /// Seconds after which an order is given up that was not paid. Longer than BREAKER_OPEN, so that none is given up because
    /// products were away for a moment.
    #[arg(long, env, value_parser = service::seconds, default_value = "180")]
    pub order_timeout: Duration,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub auth: AuthArgs,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub registry: RegistryArgs,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub calls: CallArgs,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub grpc_calls: GrpcCallArgs,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub retry: RetryArgs,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub log: LogArgs,
}
