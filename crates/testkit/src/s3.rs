//! A bucket of its own for each test.

use std::time::Duration;

use anyhow::Context;
use reqwest::{Method, RequestBuilder, StatusCode};
use url::Url;

use crate::{address, cleanup, http, name};

const LIMIT: Duration = Duration::from_secs(20);

/// The name of a bucket, which is emptied and deleted at the end of the test. It is not made: programs do that themselves.
#[derive(Debug)]
pub struct TestS3 {
    server: Url,
    bucket: String,
    access_key: String,
    secret_key: String,
}

/// Names an unused bucket.
///
/// # Panics
/// If the shared S3 is not reachable.
pub async fn s3() -> TestS3 {
    let server = address::s3();
    let answer = http::client(LIMIT).get(server.clone()).send().await;
    address::reached(&server, answer.map_err(reqwest::Error::without_url));
    let (access_key, secret_key) = address::s3_keys();
    TestS3 { server, bucket: name::unique().replace('_', "-"), access_key, secret_key }
}

impl TestS3 {
    /// Where it is, without a `/` at the end.
    pub fn url(&self) -> &str {
        http::bare(&self.server)
    }

    /// The name of the bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Who may do everything.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The secret that requests are signed with.
    pub fn secret_key(&self) -> &str {
        &self.secret_key
    }

    /// The keys of the objects in the bucket, in order; none if there is no bucket.
    ///
    /// # Panics
    /// If the server does not tell.
    pub async fn keys(&self) -> Vec<String> {
        keys(&self.server, &self.bucket).await.unwrap_or_else(|error| panic!("{error:#}"))
    }
}

/// The test server wants to see that a request is signed, and looks no further.
fn request(method: Method, server: &Url, path: &str) -> RequestBuilder {
    http::client(LIMIT).request(method, http::at(server, path)).header("authorization", "of a test")
}

/// At most 1,000. The answer is XML, in which our keys need no decoding.
async fn keys(server: &Url, bucket: &str) -> anyhow::Result<Vec<String>> {
    let answer = request(Method::GET, server, bucket).query(&[("list-type", "2")]).send().await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Ok(Vec::new());
    }
    let text = answer.error_for_status()?.text().await?;
    let parts = text.split("<Key>").skip(1);
    Ok(parts.filter_map(|part| part.split_once("</Key>")).map(|(key, _)| key.to_owned()).collect())
}

async fn delete(server: &Url, path: &str) -> anyhow::Result<()> {
    let answer = request(Method::DELETE, server, path).send().await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Ok(());
    }
    answer.error_for_status().map(drop).context("deleting what the test stored")
}

impl Drop for TestS3 {
    fn drop(&mut self) {
        let (server, bucket) = (self.server.clone(), self.bucket.clone());
        cleanup::run(async move {
            for key in keys(&server, &bucket).await? {
                delete(&server, &format!("{bucket}/{key}")).await?;
            }
            delete(&server, &bucket).await
        });
    }
}
