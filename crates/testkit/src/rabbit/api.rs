//! Requests to RabbitMQ's management.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use url::Url;

/// Creating a vhost takes seconds on a busy machine; longer than this it has hung.
const LIMIT: Duration = Duration::from_secs(30);

/// The management of one broker.
pub(super) struct Api {
    client: Client,
    base: Url,
}

impl Api {
    /// `server` names an administrator and the password.
    pub(super) fn new(server: &Url) -> Self {
        let client = Client::builder().timeout(LIMIT).no_proxy().build().expect("a client without TLS needs nothing");
        Self { client, base: server.clone() }
    }

    pub(super) fn get(&self, path: &[&str]) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(super) fn put(&self, path: &[&str], body: &Value) -> RequestBuilder {
        self.request(Method::PUT, path).json(body)
    }

    pub(super) fn post(&self, path: &[&str], body: &Value) -> RequestBuilder {
        self.request(Method::POST, path).json(body)
    }

    pub(super) fn delete(&self, path: &[&str]) -> RequestBuilder {
        self.request(Method::DELETE, path)
    }

    /// Segments are encoded one by one: queues and exchanges may have any name. reqwest takes name and password out
    /// of the URL and into a header.
    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("http URLs have a path").pop_if_empty().push("api").extend(path);
        self.client.request(method, url)
    }

    /// Sends a request; a refusal is an error in RabbitMQ's own words. No content is `null`.
    pub(super) async fn send(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let response = request.send().await.map_err(reqwest::Error::without_url).context("asking the management")?;
        let status = response.status();
        let body = response.bytes().await.context("reading the management's answer")?;
        if !status.is_success() {
            bail!("the management answered {status}: {}", String::from_utf8_lossy(&body));
        }
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).context("the management answers JSON")
    }

    /// Sends a request that must succeed.
    pub(super) async fn must(&self, request: RequestBuilder) -> Value {
        self.send(request).await.unwrap_or_else(|error| panic!("RabbitMQ refused: {error:#}"))
    }

    /// Sends a request for something that may not exist.
    pub(super) async fn find(&self, request: RequestBuilder) -> Option<Value> {
        let response = request.send().await.map_err(reqwest::Error::without_url).expect("the management answers");
        if response.status() == StatusCode::NOT_FOUND {
            return None;
        }
        assert!(response.status().is_success(), "the management answered {}", response.status());
        Some(response.json().await.expect("the management answers JSON"))
    }
}
