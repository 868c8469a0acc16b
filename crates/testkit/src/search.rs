//! Index names of its own for each test.

use std::time::Duration;

use anyhow::Context;
use reqwest::Client;
use url::Url;

use crate::{address, cleanup, http, name};

/// Making and deleting indices takes a busy machine seconds.
const LIMIT: Duration = Duration::from_secs(20);

/// A search server on which every index whose name begins with [`prefix`](Self::prefix) is deleted at the end of the test.
#[derive(Debug)]
pub struct TestSearch {
    server: Url,
    prefix: String,
}

/// Names indices that do not exist.
///
/// # Panics
/// If the shared search server is not reachable.
pub async fn search() -> TestSearch {
    let server = address::search();
    let health = http::client(LIMIT).get(http::at(&server, "_cluster/health")).send().await;
    address::reached(
        &server,
        health.and_then(reqwest::Response::error_for_status).map_err(reqwest::Error::without_url),
    );
    TestSearch { server, prefix: name::unique() }
}

impl TestSearch {
    /// Where it is, without a `/` at the end.
    pub fn url(&self) -> &str {
        http::bare(&self.server)
    }

    /// What the names of the test's indices and aliases begin with; itself a name that one may have.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name of an index of the test.
    pub fn index(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }
}

impl Drop for TestSearch {
    fn drop(&mut self) {
        let indices = http::at(&self.server, &format!("{}*", self.prefix));
        cleanup::run(async move {
            let answer = Client::delete(&http::client(LIMIT), indices).send().await?;
            answer.error_for_status().map(drop).context("deleting the test's indices")
        });
    }
}
