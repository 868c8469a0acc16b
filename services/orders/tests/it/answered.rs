//! Requests, answers, and those who ask.

use std::time::Duration;

use reqwest::Client;
pub(crate) use service::testing::{User, admin, user};
pub(crate) use testkit::Ask;

/// Longer than anything that is waited for takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);

pub(crate) fn client() -> Client {
    Client::builder().no_proxy().timeout(LIMIT).build().expect("a plain client")
}
