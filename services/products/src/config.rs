//! Configuration, read once, in `main`.

use clap::{Parser, ValueEnum};
use client::grpc::GrpcCallArgs;
use client::{CallArgs, RegistryArgs};
use secrecy::SecretString;
use service::auth::AuthArgs;
use service::documents::StoreArgs;
use service::grpc::GrpcArgs;
use service::telemetry::LogArgs;
use service::{HttpArgs, RetryArgs};

/// Keeps the products and their stock.
#[derive(Clone, Debug, Parser)]
#[command(name = "products", version)]
pub struct Config {
    /// What to do; everything if none is named.
    #[arg(value_enum, value_name = "ROLE")]
    pub roles: Vec<Role>,

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

/// What a process does. Each sends the events that it has written itself, and what others left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Serves HTTP and gRPC.
    Api,
    /// Follows the owners and ends reservations that ran out of time or were left behind; serves only its health.
    Worker,
}

impl Config {
    /// Whether the process plays this role.
    pub fn plays(&self, role: Role) -> bool {
        self.roles.is_empty() || self.roles.contains(&role)
    }

    /// The service that others find in the registry: nobody is to send requests to a process that only works.
    pub fn service(&self) -> &'static str {
        if self.plays(Role::Api) { "products" } else { "products-worker" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_role_means_all() {
        let config = |roles: &[&str]| Config::parse_from([&["products"], roles].concat());
        for all in [&[][..], &["api", "worker"]] {
            assert!(config(all).plays(Role::Api) && config(all).plays(Role::Worker), "{all:?}");
        }
        assert!(!config(&["api"]).plays(Role::Worker) && !config(&["worker"]).plays(Role::Api));
        assert_eq!((config(&["api"]).service(), config(&["worker"]).service()), ("products", "products-worker"));
    }
}
