//! Configuration, read once, in `main`.

use std::time::Duration;

use anyhow::ensure;
use clap::Parser;
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use service::auth::Environment;
use service::telemetry::LogArgs;
use service::{HttpArgs, RetryArgs, seconds};

/// What everybody can read in the example, and so nobody may rely on.
const EXAMPLE_TOKEN: &str = "warren-registry-token";

/// This machine and private networks. Never link-local addresses, whatever is set.
const PRIVATE_NETWORKS: &str = "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7";

/// Tells which instances of which service run, and where.
#[derive(Clone, Debug, Parser)]
#[command(name = "registry", version)]
pub struct Config {
    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub http: HttpArgs<8761>,

    /// Redis, where the registry keeps what it knows; the same for all replicas.
    #[arg(long, env, hide_env_values = true, default_value = "redis://127.0.0.1:6379")]
    pub redis_url: SecretString,

    /// What services show to register, send heartbeats and leave; the same for all of them.
    #[arg(long, env, hide_env_values = true, default_value = EXAMPLE_TOKEN)]
    pub registry_token: SecretString,

    /// The networks that instances may be in, with commas between them.
    #[arg(long, env, value_delimiter = ',', default_value = PRIVATE_NETWORKS)]
    pub registry_allowed_networks: Vec<IpNet>,

    /// Seconds without a heartbeat after which an instance is not given to callers any more.
    #[arg(long, env, value_parser = seconds, default_value = "60")]
    pub registry_unhealthy_after: Duration,

    /// Seconds without a heartbeat after which it is forgotten, and must register again.
    #[arg(long, env, value_parser = seconds, default_value = "300")]
    pub registry_forget_after: Duration,

    /// In production example secrets are refused.
    #[arg(long, env, value_enum, default_value = "development")]
    pub environment: Environment,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub retry: RetryArgs,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub log: LogArgs,
}

impl Config {
    /// What clap cannot check by itself.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let token = self.registry_token.expose_secret();
        ensure!(
            !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()),
            "REGISTRY_TOKEN must be of visible ASCII characters, without spaces: it is sent in a header"
        );
        ensure!(
            self.environment == Environment::Development || token != EXAMPLE_TOKEN,
            "REGISTRY_TOKEN is the example that everybody knows; with ENVIRONMENT=production it must be a secret"
        );
        ensure!(
            self.registry_unhealthy_after < self.registry_forget_after,
            "REGISTRY_FORGET_AFTER must be longer than REGISTRY_UNHEALTHY_AFTER"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(arguments: &[&str]) -> String {
        let config = Config::try_parse_from([&["registry"], arguments].concat()).unwrap();
        config.check().map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn production_wants_a_token_of_its_own() {
        assert_eq!(refused(&[]), "");
        assert!(refused(&["--environment=production"]).contains("everybody knows"));
        assert_eq!(refused(&["--environment=production", "--registry-token=a-secret"]), "");
    }

    #[test]
    fn a_token_can_be_sent_in_a_header() {
        for wrong in ["", "a b", "tökén", "a\n"] {
            assert!(refused(&["--registry-token", wrong]).contains("visible"), "{wrong:?}");
        }
    }

    #[test]
    fn nobody_is_forgotten_while_still_healthy() {
        assert!(refused(&["--registry-forget-after=60"]).contains("longer than"));
    }

    #[test]
    fn networks_are_a_list() {
        let config = Config::try_parse_from(["registry", "--registry-allowed-networks=10.0.0.0/8,fd00::/8"]).unwrap();
        assert_eq!(config.registry_allowed_networks.len(), 2);
        assert!(Config::try_parse_from(["registry", "--registry-allowed-networks=10.0.0.0/33"]).is_err());
    }
}
