//! Configuration, read once, in `main`.

use std::time::Duration;

use clap::{Parser, ValueEnum};
use client::grpc::GrpcCallArgs;
use client::{CallArgs, RegistryArgs};
use secrecy::SecretString;
use service::auth::AuthArgs;
use service::documents::StoreArgs;
use service::grpc::GrpcArgs;
use service::telemetry::LogArgs;
use service::{HttpArgs, RetryArgs};

/// Takes orders, and brings each one to an end.
#[derive(Clone, Debug, Parser)]
#[command(name = "orders", version)]
pub struct Config {
    /// What to do; everything if nothing is named.
    #[arg(value_enum, value_name = "ROLE")]
    pub roles: Vec<Role>,

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

    /// Seconds after which an order is given up that was not paid.
    #[arg(long, env, value_parser = service::seconds, default_value = "60")]
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

/// A part of the work that a process can do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Answers requests.
    Api,
    /// Handles events, and takes up what others left.
    Worker,
}

impl Config {
    /// Whether the process plays this role.
    pub fn plays(&self, role: Role) -> bool {
        self.roles.is_empty() || self.roles.contains(&role)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_role_means_all() {
        let plays = |arguments: &[&str]| {
            let config = Config::parse_from([&["orders"], arguments].concat());
            (config.plays(Role::Api), config.plays(Role::Worker))
        };
        assert_eq!((plays(&[]), plays(&["api"]), plays(&["worker"])), ((true, true), (true, false), (false, true)));
        assert_eq!(plays(&["worker", "api"]), (true, true));
    }
}
