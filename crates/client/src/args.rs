//! The settings of registration and of calls, for a program's configuration.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use http::Uri;
use http::uri::{Authority, Scheme};
use secrecy::SecretString;
use service::seconds;

/// How a program and the registry find each other.
#[derive(Args, Clone, Debug)]
pub struct RegistryArgs {
    /// Where the registry is: the base URLs of its replicas, with commas between them. Without one there is no registry.
    #[arg(long, env = "REGISTRY_URL", default_value = "")]
    pub registry_url: BaseUrls,

    /// What the registry knows its services by.
    #[arg(long, env = "REGISTRY_TOKEN", hide_env_values = true, default_value = "warren-registry-token")]
    pub registry_token: SecretString,

    /// IP address or name that this program is reached at by others; by default the address that leads to the registry.
    #[arg(long, env = "SERVICE_HOST")]
    pub service_host: Option<String>,

    /// Seconds between two signs of life.
    #[arg(long, env = "HEARTBEAT_EVERY", value_parser = seconds, default_value = "15")]
    pub heartbeat_every: Duration,
}

/// How other services are called.
#[derive(Args, Clone, Debug)]
pub struct CallArgs {
    /// Where services are that the registry knows no instance of: `producer=http://127.0.0.1:8081`, with commas between
    /// them; a service may be there several times.
    #[arg(long, env = "SERVICE_URLS", default_value = "")]
    pub service_urls: ServiceUrls,

    /// Seconds after which instances are looked up again while the registry does not tell of changes by itself.
    #[arg(long, env = "DISCOVERY_CACHE", value_parser = seconds, default_value = "30")]
    pub discovery_cache: Duration,

    /// Which instance gets a call.
    #[arg(long, env = "BALANCING", value_enum, default_value_t)]
    pub balancing: Balancing,

    /// Seconds that an instance is given to answer.
    #[arg(long, env = "CALL_TIMEOUT", value_parser = seconds, default_value = "5")]
    pub call_timeout: Duration,

    /// How often a call is tried at most.
    #[arg(long, env = "CALL_TRIES", value_parser = clap::value_parser!(u32).range(1..=10), default_value = "3")]
    pub call_tries: u32,

    /// Seconds to wait at most before the same instance is tried again; doubled after each further failure.
    #[arg(long, env = "CALL_BACKOFF", value_parser = seconds, default_value = "0.1")]
    pub call_backoff: Duration,

    /// How many calls may be repeated, as a part of all calls.
    #[arg(long, env = "RETRY_BUDGET", value_parser = share, default_value = "0.2")]
    pub retry_budget: f32,

    /// Failures in a row after which an instance is called no more for a while.
    #[arg(long, env = "BREAKER_FAILURES", value_parser = clap::value_parser!(u32).range(1..), default_value = "5")]
    pub breaker_failures: u32,

    /// Seconds until one call tries whether such an instance is well again.
    #[arg(long, env = "BREAKER_OPEN", value_parser = seconds, default_value = "60")]
    pub breaker_open: Duration,
}

/// Which instance gets a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Balancing {
    /// Each in turn.
    #[default]
    RoundRobin,
    /// Any.
    Random,
    /// The one with the fewest calls and streams in flight.
    LeastConnections,
}

/// `http://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Authority);

impl BaseUrl {
    /// `host:port`.
    pub(crate) fn authority(&self) -> &Authority {
        &self.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a URL like http://127.0.0.1:8761");
        let uri: Uri = text.trim().parse().map_err(|_| wrong())?;
        let bare = uri.scheme() == Some(&Scheme::HTTP) && uri.path() == "/" && uri.query().is_none();
        let authority = uri.into_parts().authority.filter(|authority| bare && !authority.as_str().contains('@'));
        authority.map(Self).ok_or_else(wrong)
    }
}

/// Any number of URLs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseUrls(pub(crate) Vec<BaseUrl>);

impl FromStr for BaseUrls {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        entries(text).map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

/// Services and where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceUrls(pub(crate) Vec<(String, BaseUrl)>);

impl ServiceUrls {
    /// The same, and this service at these URLs.
    #[must_use]
    pub fn with(mut self, service: &str, urls: &BaseUrls) -> Self {
        self.0.extend(urls.0.iter().map(|url| (service.to_owned(), url.clone())));
        self
    }
}

impl FromStr for ServiceUrls {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = |entry: &str| {
            let wrong = || format!("`{entry}` is not like producer=http://127.0.0.1:8081");
            let (service, url) = entry.split_once('=').filter(|(service, _)| !service.is_empty()).ok_or_else(wrong)?;
            Ok((service.trim().to_owned(), url.parse()?))
        };
        entries(text).map(named).collect::<Result<_, _>>().map(Self)
    }
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

fn share(text: &str) -> Result<f32, String> {
    let share: f32 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("expected from 0 to 1".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_lists_and_none_is_fine() {
        assert_eq!("".parse(), Ok(BaseUrls::default()));
        let urls: BaseUrls = "http://a:1, http://[::1]:2/,".parse().unwrap();
        assert_eq!(urls.0.iter().map(ToString::to_string).collect::<Vec<_>>(), ["http://a:1", "http://[::1]:2"]);
        for wrong in ["a:1", "https://a:1", "http://a/path", "http://a?b", "http://u:p@a"] {
            assert!(wrong.parse::<BaseUrls>().is_err(), "{wrong} was taken for a base URL");
        }
    }

    #[test]
    fn a_service_may_have_several_urls() {
        let urls: ServiceUrls = "producer=http://a:1,producer=http://b:1,consumer=http://c:2".parse().unwrap();
        assert_eq!(urls.0.iter().filter(|(service, _)| service == "producer").count(), 2);
        for wrong in ["producer", "=http://a:1", "producer=a"] {
            assert!(wrong.parse::<ServiceUrls>().is_err(), "{wrong} was taken for a service's URL");
        }
    }

    #[test]
    fn numbers_have_their_bounds() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        assert!(["", "-1", "0", "NaN", "1e9"].iter().all(|wrong| seconds(wrong).is_err()));
        assert!(["", "-0.1", "1.1", "NaN"].iter().all(|wrong| share(wrong).is_err()));
    }
}
