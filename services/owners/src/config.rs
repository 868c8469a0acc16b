//! Configuration, read once, in `main`.

use clap::Parser;
use client::RegistryArgs;
use secrecy::SecretString;
use service::auth::AuthArgs;
use service::documents::StoreArgs;
use service::grpc::GrpcArgs;
use service::telemetry::LogArgs;
use service::{HttpArgs, RetryArgs};

/// Keeps the owners, the shops whose products are sold.
#[derive(Clone, Debug, Parser)]
#[command(name = "owners", version)]
pub struct Config {
    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub http: HttpArgs<30000>,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub grpc: GrpcArgs<40000>,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub store: StoreArgs,

    /// The database of the owners in MongoDB.
    #[arg(long, env, default_value = "owners")]
    pub owners_database: String,

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
    pub retry: RetryArgs,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub log: LogArgs,
}
