//! Requests to test servers that speak HTTP.

use std::time::Duration;

use reqwest::Client;
use url::Url;

/// A client that waits this long for an answer, and asks no proxy.
pub(crate) fn client(limit: Duration) -> Client {
    Client::builder().timeout(limit).no_proxy().build().expect("a client without TLS needs nothing")
}

/// A path of the server, encoded where it must be.
pub(crate) fn at(server: &Url, path: &str) -> Url {
    let mut url = server.clone();
    url.path_segments_mut().expect("http URLs have a path").pop_if_empty().extend(path.split('/'));
    url
}

/// The URL without the `/` at its end, to which programs add paths.
pub(crate) fn bare(server: &Url) -> &str {
    server.as_str().trim_end_matches('/')
}
