//! Where an instance may be. Whoever asks the registry calls what it says, so it must not be led astray.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use service::http::FieldError;
use service::{ApiError, ApiResult};
use tokio::net::lookup_host;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long looking up a name may take.
const LOOKUP_TIME: Duration = Duration::from_secs(2);

/// Names looked up at the same time: each holds a thread, also past its time.
const LOOKUPS: usize = 16;

/// Checks hosts, and looks up those that are names.
#[derive(Debug)]
pub(crate) struct Addresses {
    allowed: Vec<IpNet>,
    lookups: Arc<Semaphore>,
}

impl Addresses {
    pub(crate) fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed, lookups: Arc::new(Semaphore::new(LOOKUPS)) }
    }

    /// The address of a host, which is to be called by it from now on: what its name means later does not matter.
    pub(crate) async fn check(&self, host: &str) -> ApiResult<IpAddr> {
        let found = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) if is_name(host) => self.look_up(host.to_owned()).await?,
            Err(_) => return Err(wrong("must be an IP address or the name of a host")),
        };
        self.admit(&found).map_err(|outside| {
            tracing::warn!(host, address = %outside, "an instance outside of REGISTRY_ALLOWED_NETWORKS was refused");
            ApiError::forbidden(
                "the host, or an address that it has, is outside of the networks that the registry allows",
            )
        })
    }

    /// The first of these addresses if all of them are allowed: a name with any other could be used to get there.
    fn admit(&self, found: &[IpAddr]) -> Result<IpAddr, IpAddr> {
        let mut canonical = found.iter().map(IpAddr::to_canonical);
        match canonical.clone().find(|&address| !self.allows(address)) {
            Some(outside) => Err(outside),
            None => canonical.next().ok_or(IpAddr::from([0; 4])),
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        !is_never_allowed(address) && self.allowed.iter().any(|network| network.contains(&address))
    }

    async fn look_up(&self, name: String) -> ApiResult<Vec<IpAddr>> {
        let later = |detail| ApiError::unavailable(detail, Duration::from_secs(2));
        let place =
            self.lookups.clone().try_acquire_owned().map_err(|_| later("too many names are being looked up"))?;
        // A task, as the thread goes on when nobody waits for it any more, and holds its place for so long.
        let looking = tokio::spawn(async move {
            let found = lookup_host((name, 0)).await.map(|found| found.map(|address| address.ip()).collect());
            drop(place);
            found
        });
        match timeout(LOOKUP_TIME, looking).await {
            Ok(Ok(Ok(found))) => Ok(found),
            Ok(Ok(Err(_))) => Err(wrong("is a name that cannot be looked up")),
            Ok(Err(panicked)) => Err(ApiError::internal(panicked)),
            Err(_) => Err(later("looking up the name of the host takes too long")),
        }
    }
}

fn wrong(detail: &str) -> ApiError {
    ApiError::unprocessable([FieldError::new("instance.host", detail)])
}

/// Whatever is set: addresses of nobody or of many, and link-local ones, where clouds keep their secrets.
fn is_never_allowed(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    link_local || address.is_unspecified() || address.is_multicast()
}

/// Whether it can be the name of a host; anything else is not worth asking for.
fn is_name(host: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=253).contains(&host.len()) && host.bytes().all(known)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::Config;

    fn by_default() -> Addresses {
        Addresses::new(Config::parse_from(["registry"]).registry_allowed_networks)
    }

    fn everywhere() -> Addresses {
        Addresses::new(vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()])
    }

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn private_networks_are_allowed_by_default() {
        for inside in ["127.0.0.1", "127.8.9.1", "::1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "fd00::1"] {
            assert_eq!(by_default().admit(&addresses(&[inside])), Ok(inside.parse().unwrap()));
        }
    }

    #[test]
    fn the_rest_of_the_world_is_not() {
        for outside in
            ["8.8.8.8", "169.254.169.254", "172.32.0.1", "0.0.0.0", "::", "fe80::1", "2001:db8::1", "224.0.0.1"]
        {
            assert!(by_default().admit(&addresses(&[outside])).is_err(), "{outside}");
        }
    }

    #[test]
    fn a_mapped_address_is_what_it_maps_to() {
        for outside in ["::ffff:169.254.169.254", "::ffff:8.8.8.8", "::ffff:a9fe:a9fe", "::ffff:0.0.0.0"] {
            assert!(by_default().admit(&addresses(&[outside])).is_err(), "{outside}");
        }
        assert_eq!(by_default().admit(&addresses(&["::ffff:10.1.2.3"])), Ok("10.1.2.3".parse().unwrap()));
    }

    #[test]
    fn a_name_with_one_address_outside_is_refused_as_a_whole() {
        for mixed in [["127.0.0.1", "8.8.8.8"], ["8.8.8.8", "127.0.0.1"], ["10.0.0.1", "fe80::1"]] {
            assert!(by_default().admit(&addresses(&mixed)).is_err(), "{mixed:?}");
        }
        assert_eq!(by_default().admit(&addresses(&["10.0.0.1", "::1"])), Ok("10.0.0.1".parse().unwrap()));
        assert!(by_default().admit(&[]).is_err());
    }

    #[test]
    fn no_setting_allows_link_local_addresses() {
        for never in
            ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0", "::", "255.255.255.255", "ff02::1"]
        {
            assert!(everywhere().admit(&addresses(&[never])).is_err(), "{never}");
        }
        assert!(everywhere().admit(&addresses(&["8.8.8.8"])).is_ok());
    }

    #[tokio::test]
    async fn what_can_be_no_host_is_not_looked_up() {
        for wrong in
            ["", "a b", "[::1]", "fe80::1%eth0", "user@host", "host:80", "http://host/", "hôte", &"a".repeat(254)]
        {
            assert_eq!(by_default().check(wrong).await.unwrap_err().status(), 422, "{wrong}");
        }
    }
}
