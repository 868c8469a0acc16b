//! Configuration, read once, in `main`.

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

use crate::images::S3Args;

/// Keeps the products and their stock.
#[derive(Clone, Debug, Parser)]
#[command(name = "products", version)]
pub struct Config {
    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub roles: RoleArgs,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub http: HttpArgs<30001>,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub grpc: GrpcArgs<40001>,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub store: StoreArgs,

    /// The database of the products in MongoDB.
    #[arg(long, env, default_value = "products")]
    pub products_database: String,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub s3: S3Args,

    /// Redis, where sessions that have ended are named.
    #[arg(long, env, hide_env_values = true, default_value = "redis://127.0.0.1:6379")]
    pub redis_url: SecretString,

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

impl Config {
    /// The service that others find in the registry.
    pub fn service(&self) -> &'static str {
        self.roles.service("products", "products-worker")
    }
}
