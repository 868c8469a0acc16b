//! Configuration, read once, in `main`.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser};
use client::{CallArgs, RegistryArgs};
use http::HeaderValue;
use ipnet::IpNet;
use secrecy::SecretString;
use service::auth::AuthArgs;
use service::telemetry::LogArgs;
use service::{HttpArgs, seconds};

/// Routes, authenticates, limits and balances what clients ask.
#[derive(Clone, Debug, Parser)]
#[command(name = "gateway", version)]
pub struct Config {
    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub http: HttpArgs<3000>,

    /// Bytes of the largest body that is passed on; more is answered with 413.
    #[arg(long, env, default_value_t = 1024 * 1024 * 1024)]
    pub max_body: usize,

    /// The web sites that may call from a browser: origins with commas between them, or `*` for all.
    #[arg(long, env, default_value = "")]
    pub cors_origins: Origins,

    /// Proxies whose `X-Forwarded-For` is believed: addresses or networks with commas between them.
    #[arg(long, env, default_value = "")]
    pub trusted_proxies: TrustedProxies,

    /// Redis, where requests are counted and sessions that have ended are named.
    #[arg(long, env, hide_env_values = true, default_value = "redis://127.0.0.1:6379")]
    pub redis_url: SecretString,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub limit: LimitArgs,

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
    pub log: LogArgs,
}

/// How many requests a client may send.
#[derive(Args, Clone, Debug)]
pub struct LimitArgs {
    /// Requests that a client may send in RATE_LIMIT_WINDOW, over all gateways; 0 for any number.
    #[arg(long, env, default_value_t = 100)]
    pub rate_limit: u64,

    /// Seconds after which a client's count begins anew.
    #[arg(long, env, value_parser = seconds, default_value = "900")]
    pub rate_limit_window: Duration,

    /// Seconds that Redis may take to count; after that a gateway counts by itself for a second.
    #[arg(long, env, value_parser = seconds, default_value = "0.1")]
    pub rate_limit_patience: Duration,
}

/// Networks of proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(pub(crate) Vec<IpNet>);

impl FromStr for TrustedProxies {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = |entry: &str| {
            entry
                .parse()
                .or_else(|_| entry.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| format!("`{entry}` is neither an address nor a network like 10.0.0.0/8"))
        };
        entries(text).map(network).collect::<Result<_, _>>().map(Self)
    }
}

/// Web sites that may call from a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// All of them.
    Any,
    /// These.
    These(Vec<HeaderValue>),
}

impl FromStr for Origins {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        let origin = |entry: &str| {
            let wrong = || format!("`{entry}` is not an origin like https://shop.example");
            let (scheme, host) = entry.split_once("://").ok_or_else(wrong)?;
            let is_bare = matches!(scheme, "http" | "https") && !host.is_empty() && !host.contains(['/', '*', '@']);
            HeaderValue::from_str(entry).ok().filter(|_| is_bare).ok_or_else(wrong)
        };
        entries(text).map(origin).collect::<Result<_, _>>().map(Self::These)
    }
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_addresses_and_networks() {
        let proxies: TrustedProxies = "10.0.0.0/8, 192.0.2.1,::1,".parse().unwrap();
        assert_eq!(
            proxies.0.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.0.0.0/8", "192.0.2.1/32", "::1/128"]
        );
        assert_eq!("".parse(), Ok(TrustedProxies::default()));
        for wrong in ["10.0.0.0/33", "proxy", "*"] {
            assert!(wrong.parse::<TrustedProxies>().is_err(), "{wrong} was taken for a network");
        }
    }

    #[test]
    fn origins_are_all_some_or_none() {
        assert_eq!("*".parse(), Ok(Origins::Any));
        assert_eq!("".parse(), Ok(Origins::These(Vec::new())));
        let two = Origins::These(vec![HeaderValue::from_static("https://a.b"), HeaderValue::from_static("http://c:1")]);
        assert_eq!("https://a.b, http://c:1".parse(), Ok(two));
        for wrong in ["a.b", "https://", "https://a.b/", "https://*.b", "ftp://a", "https://a.b,*"] {
            assert!(wrong.parse::<Origins>().is_err(), "{wrong} was taken for an origin");
        }
    }
}
