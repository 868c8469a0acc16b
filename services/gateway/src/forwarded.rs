//! How a request came to the gateway: the `X-Forwarded` headers that a service gets.

use std::fmt::Write;

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::peer::{FORWARDED_FOR, Peer};

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// How the request came to the gateway, for the service.
pub(crate) struct Forwarded {
    by: HeaderValue,
    scheme: HeaderValue,
    host: Option<HeaderValue>,
}

impl Forwarded {
    pub(crate) fn of(headers: &HeaderMap, uri: &Uri, peer: &Peer) -> Self {
        let believed = |name: HeaderName| headers.get(name).filter(|_| peer.is_trusted).cloned();
        let is_scheme = |value: &HeaderValue| value == "http" || value == "https";
        Self {
            by: by(headers, peer),
            scheme: believed(FORWARDED_PROTO).filter(is_scheme).unwrap_or(HeaderValue::from_static("http")),
            host: believed(FORWARDED_HOST)
                .or_else(|| uri.authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok()))
                .or_else(|| headers.get(HOST).cloned()),
        }
    }

    pub(crate) fn put(self, headers: &mut HeaderMap) {
        headers.insert(HeaderName::from_static(FORWARDED_FOR), self.by);
        headers.insert(FORWARDED_PROTO, self.scheme);
        if let Some(host) = self.host {
            headers.insert(FORWARDED_HOST, host);
        }
    }
}

/// What a trusted proxy said and the proxy itself; else the peer alone.
fn by(headers: &HeaderMap, peer: &Peer) -> HeaderValue {
    let mut text = String::with_capacity(39);
    for value in headers.get_all(FORWARDED_FOR).iter().filter(|_| peer.is_trusted) {
        if let Ok(value) = value.to_str() {
            let _ = write!(text, "{value}, ");
        }
    }
    let _ = write!(text, "{}", peer.address);
    HeaderValue::try_from(text).expect("addresses and what were header values make a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(lines: &[(&'static str, &'static str)], is_trusted: bool) -> HeaderMap {
        let lines = lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let mut headers: HeaderMap = lines.collect();
        let address = "192.0.2.1".parse().unwrap();
        let peer = Peer { address, is_trusted, client: address };
        Forwarded::of(&headers, &Uri::from_static("/api/users"), &peer).put(&mut headers);
        headers
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_added() {
        let lines = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example"),
            ("host", "inside"),
        ];
        let left = forwarded(&lines, true);
        assert_eq!(left["x-forwarded-for"], "203.0.113.9, 192.0.2.1");
        assert_eq!(
            (&left["x-forwarded-proto"], &left["x-forwarded-host"]),
            (&"https".parse().unwrap(), &"shop.example".parse().unwrap())
        );
        let left = forwarded(&lines, false);
        assert_eq!(left["x-forwarded-for"], "192.0.2.1");
        assert_eq!(
            (&left["x-forwarded-proto"], &left["x-forwarded-host"]),
            (&"http".parse().unwrap(), &"inside".parse().unwrap())
        );
    }
}
