//! Who the client is: the peer of the connection or, behind a proxy that is trusted, whom that proxy names.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

pub(crate) const FORWARDED_FOR: &str = "x-forwarded-for";

/// The peer of a connection, and the client it speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Who is connected.
    pub(crate) address: IpAddr,
    /// Whether what it says of others is believed.
    pub(crate) is_trusted: bool,
    /// Who asks.
    pub(crate) client: IpAddr,
}

impl Peer {
    pub(crate) fn new(address: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let address = address.to_canonical();
        let is_trusted = is_in(trusted, address);
        let client = if is_trusted { named(address, headers, trusted) } else { address };
        Self { address, is_trusted, client }
    }

    /// What counts as one client: an IPv6 host is given a whole /64, in which it may choose any address.
    pub(crate) fn counted(&self) -> IpAddr {
        match self.client {
            IpAddr::V4(_) => self.client,
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        }
    }
}

/// Each proxy adds whom it was asked by on the right. So the first from there who is not a trusted proxy is the client;
/// what stands further left is the client's own word.
fn named(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer;
    for value in headers.get_all(FORWARDED_FOR).iter().rev() {
        let Ok(value) = value.to_str() else { return client };
        for entry in value.rsplit(',') {
            let Some(address) = address(entry.trim()) else { return client };
            client = address;
            if !is_in(trusted, client) {
                return client;
            }
        }
    }
    client
}

/// Some proxies add the port, and brackets to IPv6.
fn address(entry: &str) -> Option<IpAddr> {
    let address = entry
        .parse::<IpAddr>()
        .or_else(|_| entry.parse::<SocketAddr>().map(|address| address.ip()))
        .or_else(|_| entry.trim_start_matches('[').trim_end_matches(']').parse());
    address.ok().map(|address| address.to_canonical())
}

fn is_in(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        Peer::new(peer.parse().unwrap(), &headers, &trusted).client.to_string()
    }

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        assert_eq!(client("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client("203.0.113.9", &["10.0.0.1"]), "203.0.113.9");
    }

    #[test]
    fn the_first_from_the_right_who_is_no_trusted_proxy_is_the_client() {
        for (forwarded, expected) in [
            (&["198.51.100.1"][..], "198.51.100.1"),
            (&["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            (&["1.1.1.1, 198.51.100.1, 10.2.3.4"], "198.51.100.1"),
            (&["1.1.1.1", "198.51.100.1", "10.2.3.4,10.0.0.9"], "198.51.100.1"),
            (&["198.51.100.1:4711"], "198.51.100.1"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["::ffff:198.51.100.1"], "198.51.100.1"),
            (&[], "10.0.0.1"),
            (&["unknown"], "10.0.0.1"),
            (&["198.51.100.1, nonsense, 10.0.0.2"], "10.0.0.2"),
            (&["10.0.0.3"], "10.0.0.3"),
        ] {
            assert_eq!(client("10.0.0.1", forwarded), expected, "{forwarded:?}");
        }
        assert_eq!(client("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn an_ipv6_network_counts_as_one_client() {
        let counted = |address: &str| Peer::new(address.parse().unwrap(), &HeaderMap::new(), &[]).counted();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), counted("2001:db8:1:2::9"));
        assert_ne!(counted("2001:db8:1:2::9"), counted("2001:db8:1:3::9"));
        assert_ne!(counted("198.51.100.1"), counted("198.51.100.2"));
        assert_eq!(counted("::ffff:198.51.100.1"), counted("198.51.100.1"));
    }
}
