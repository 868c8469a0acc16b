//! Configuration, read once, in `main`.

use std::time::Duration;

use clap::{Args, Parser};
use client::RegistryArgs;
use secrecy::SecretString;
use service::auth::AuthArgs;
use service::documents::StoreArgs;
use service::telemetry::LogArgs;
use service::{HttpArgs, RetryArgs, seconds};

/// Charges users for their orders, and gives back what was charged in vain.
#[derive(Clone, Debug, Parser)]
#[command(name = "payments", version)]
pub struct Config {
    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub http: HttpArgs<30003>,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub store: StoreArgs,

    /// The database of the payments in MongoDB.
    #[arg(long, env, default_value = "payments")]
    pub payments_database: String,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub provider: ProviderArgs,

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

/// The payment provider, and how patient the service is with it.
#[derive(Args, Clone, Copy, Debug)]
pub struct ProviderArgs {
    /// How often a charge is tried before the payment has failed; the waits between are 1 s, 5 s, 30 s and then 2 min.
    #[arg(long, env, value_parser = clap::value_parser!(u32).range(1..=100), default_value = "4")]
    pub payment_tries: u32,

    /// Seconds that the provider may take for an answer.
    #[arg(long, env, value_parser = seconds, default_value = "5")]
    pub payment_timeout: Duration,

    /// Seconds that the simulated provider takes for each answer.
    #[arg(long, env, value_parser = latency, default_value = "0.05")]
    pub payment_latency: Duration,

    /// How many of the calls to the simulated provider fail, as a part of all: half of these after they took effect.
    #[arg(long, env, value_parser = share, default_value = "0")]
    pub payment_failures: f64,
}

fn latency(text: &str) -> Result<Duration, String> {
    if text == "0" { Ok(Duration::ZERO) } else { seconds(text) }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("expected from 0 to 1".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simulated_provider_may_be_as_fast_and_as_bad_as_one_likes() {
        let config = Config::parse_from(["payments", "--payment-latency=0", "--payment-failures=1"]);
        assert_eq!((config.provider.payment_latency, config.provider.payment_failures), (Duration::ZERO, 1.0));
        for wrong in ["--payment-failures=1.1", "--payment-failures=NaN", "--payment-latency=-1", "--payment-tries=0"] {
            assert!(Config::try_parse_from(["payments", wrong]).is_err(), "{wrong}");
        }
    }
}
