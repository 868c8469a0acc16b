//! What the bridge asks of InfluxDB, of either version.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use url::Url;

use crate::InfluxdbArgs;

/// Over before a program that is told to stop must have ended.
const LIMIT: Duration = Duration::from_secs(8);
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How much of a refusal is shown: it may quote all that was sent.
const REASON_CHARACTERS: usize = 300;

/// An InfluxDB, and where in it points go.
#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
    base: Url,
    into: Into,
}

#[derive(Clone)]
enum Into {
    Database(String),
    Bucket { org: String, bucket: String, token: String },
}

/// Why points were not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// Some of these points will never be taken.
    #[error("InfluxDB refuses: {0}")]
    Refused(String),
    /// Not now.
    #[error("InfluxDB: {0}")]
    Unavailable(String),
}

impl Api {
    /// # Errors
    /// If a setting cannot be used.
    pub(crate) fn new(url: &str, influxdb: &InfluxdbArgs) -> anyhow::Result<Self> {
        // What is wrong with it may show a password.
        let base = Url::parse(url).ok().filter(|url| url.scheme() == "http" && url.has_host());
        let base = base.context("INFLUXDB_URL is not of the form http://user:password@host:port")?;
        let into = match influxdb.bucket()? {
            None => Into::Database(influxdb.influxdb_database.clone()),
            Some((org, bucket, token)) => {
                Into::Bucket { org: org.to_owned(), bucket: bucket.to_owned(), token: token.to_owned() }
            }
        };
        // A token goes with what is sent: to this server and to no other.
        let client = Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .timeout(LIMIT)
            .connect_timeout(CONNECT_LIMIT)
            .build()?;
        Ok(Self { client, base, into })
    }

    /// Writes lines; a database that is not there is made.
    pub(super) async fn write(&self, lines: String) -> Result<(), WriteError> {
        let lines = Bytes::from(lines);
        let answer = self.send_lines(lines.clone()).await?;
        let answer = match &self.into {
            Into::Database(name) if answer.status() == StatusCode::NOT_FOUND => {
                self.create(name).await?;
                self.send_lines(lines).await?
            }
            _ => answer,
        };
        judge(answer).await
    }

    /// Asks for a sign of life.
    pub(crate) fn ping(&self) -> impl Future<Output = anyhow::Result<()>> + Send + use<> {
        let asked = self.client.get(self.at("ping")).send();
        async move {
            asked.await.and_then(Response::error_for_status).map_err(reqwest::Error::without_url)?;
            Ok(())
        }
    }

    async fn send_lines(&self, lines: Bytes) -> Result<Response, WriteError> {
        let request = match &self.into {
            Into::Database(name) => {
                self.client.post(self.at("write")).query(&[("db", name.as_str()), ("precision", "ns")])
            }
            Into::Bucket { org, bucket, token } => self
                .client
                .post(self.at("api/v2/write"))
                .query(&[("org", org.as_str()), ("bucket", bucket), ("precision", "ns")])
                .header("authorization", format!("Token {token}")),
        };
        send(request.body(lines)).await
    }

    async fn create(&self, database: &str) -> Result<(), WriteError> {
        let name = database.replace('\\', "\\\\").replace('"', "\\\"");
        let statement = format!("CREATE DATABASE \"{name}\"");
        let answer = send(self.client.post(self.at("query")).form(&[("q", statement)])).await?;
        if answer.status().is_success() {
            tracing::info!(database, "made the database in InfluxDB");
            return Ok(());
        }
        Err(WriteError::Unavailable(format!("the database cannot be made: {}", reason(answer).await)))
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("http URLs have a path").pop_if_empty().extend(path.split('/'));
        url
    }
}

async fn send(request: RequestBuilder) -> Result<Response, WriteError> {
    request
        .send()
        .await
        .map_err(|error| WriteError::Unavailable(format!("{:#}", anyhow::Error::new(error.without_url()))))
}

async fn judge(answer: Response) -> Result<(), WriteError> {
    match answer.status() {
        status if status.is_success() => Ok(()),
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            let reason = reason(answer).await;
            // What it would forget at once it need not have; the others of these points it took.
            if reason.contains("beyond retention policy") { Ok(()) } else { Err(WriteError::Refused(reason)) }
        }
        // Settings can be put right, without that an event was given up for them.
        _ => Err(WriteError::Unavailable(reason(answer).await)),
    }
}

async fn reason(answer: Response) -> String {
    let status = answer.status();
    let body = answer.text().await.unwrap_or_default();
    let body: String = body.trim().chars().take(REASON_CHARACTERS).collect();
    format!("{status} {body}")
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}
