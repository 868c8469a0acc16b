//! Requests to Elasticsearch or OpenSearch, in bounded time and space.

use std::time::Duration;

use anyhow::Context;
use messaging::Failure;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Method, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::stores::{OPERATION_LIMIT, Store};

const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// The largest answer that is read; a page of the largest products is a tenth of it.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// Why a request did not bring what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no answer.
    #[error("{0}")]
    NoAnswer(String),
    /// The server refused, or failed.
    #[error("{reason} ({kind}, {status})")]
    Status {
        /// The status of the answer, or of one item of it.
        status: u16,
        /// What the server calls it.
        kind: String,
        /// The server's words.
        reason: String,
    },
    /// The answer is none that was expected.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
}

impl Error {
    /// An error as the server describes it, in an answer or in one item of it.
    pub(super) fn described(status: u16, error: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let reason = text(&error["reason"]).or_else(|| text(error)).unwrap_or_else(|| "no reason given".to_owned());
        // The cause says which field it was.
        let cause = text(&error["caused_by"]["reason"]).map(|cause| format!(": {cause}")).unwrap_or_default();
        let kind = text(&error["type"]).unwrap_or_else(|| "error".to_owned());
        Self::Status { status, kind, reason: reason + &cause }
    }

    /// What the server calls it.
    pub fn kind(&self) -> &str {
        match self {
            Self::Status { kind, .. } => kind,
            Self::NoAnswer(_) | Self::Unreadable(_) => "",
        }
    }

    /// What it means for a message.
    pub fn failure(&self) -> Failure {
        match self {
            Self::NoAnswer(_) => Store::Search.unavailable(self),
            // Overloaded, starting, without a shard that it needs, read-only as its disk is full, or not letting us in.
            Self::Status { status: 401 | 403 | 408 | 429 | 502 | 503 | 504, .. } => Store::Search.unavailable(self),
            // It comes back when something is written.
            Self::Status { kind, .. } if kind == "index_not_found_exception" => Store::Search.unavailable(self),
            Self::Status { status: 400 | 413, .. } => Store::Search.reject(self),
            Self::Status { .. } | Self::Unreadable(_) => Store::Search.retry(self),
        }
    }
}

/// The server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: SecretUrl,
}

/// With a password in it, perhaps.
#[derive(Clone)]
struct SecretUrl(String);

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretUrl")
    }
}

impl Client {
    /// A client for the server at this URL; nothing is sent yet.
    pub fn new(variable: &str, url: &SecretString) -> anyhow::Result<Self> {
        // The error of the parser tells nothing of the text itself.
        let url = Url::parse(url.expose_secret()).with_context(|| format!("{variable} is not a URL"))?;
        anyhow::ensure!(url.scheme() == "http", "{variable} must begin with http://");
        anyhow::ensure!(url.query().is_none() && url.fragment().is_none(), "{variable} must be a URL without a query");
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_LIMIT)
            .timeout(OPERATION_LIMIT)
            .build()
            .context("making a client for the search")?;
        Ok(Self { http, base: SecretUrl(url.as_str().trim_end_matches('/').to_owned()) })
    }

    /// Sends JSON, if there is some, and reads the answer; what is no success is an error.
    pub(super) async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        let (status, answer) = self.answer(method, path, body).await?;
        success(status, answer)
    }

    /// The same, where an answer that is no success can be one that was expected.
    pub(super) async fn answer(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(u16, Value), Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.base.0));
        if let Some(body) = body {
            request = request.json(body);
        }
        read(request.send().await.map_err(no_answer)?).await
    }

    /// Sends lines of JSON.
    pub(super) async fn lines(&self, path: &str, lines: String) -> Result<Value, Error> {
        let request = self.http.post(format!("{}{path}", self.base.0));
        let request = request.header(CONTENT_TYPE, "application/x-ndjson").body(lines);
        let (status, answer) = read(request.send().await.map_err(no_answer)?).await?;
        success(status, answer)
    }
}

fn success(status: u16, answer: Value) -> Result<Value, Error> {
    if (200..300).contains(&status) { Ok(answer) } else { Err(Error::described(status, &answer["error"])) }
}

async fn read(mut response: Response) -> Result<(u16, Value), Error> {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Error::Unreadable(format!("it is longer than {MAX_ANSWER} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    match serde_json::from_slice(&body) {
        Ok(answer) => Ok((status, answer)),
        // A proxy before the server may answer in its own words.
        Err(_) if status >= 400 => Ok((status, Value::Null)),
        Err(error) => Err(Error::Unreadable(error.to_string())),
    }
}

/// With all its causes: the outermost says only that a request failed. The URL would show a password.
fn no_answer(error: reqwest::Error) -> Error {
    Error::NoAnswer(format!("{:#}", anyhow::Error::new(error.without_url())))
}

#[cfg(test)]
mod tests {
    use messaging::FailureKind;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_lies_with_the_document_is_the_messages_fault() {
        let error = json!({ "type": "mapper_parsing_exception", "reason": "failed to parse field [stock]",
            "caused_by": { "type": "illegal_argument_exception", "reason": "out of range" } });
        let kind = |status| Error::described(status, &error).failure().kind;
        assert_eq!(
            (kind(400), kind(500), kind(429)),
            (FailureKind::Reject, FailureKind::Retry, FailureKind::Unavailable)
        );
        assert!(Error::described(400, &error).to_string().contains("[stock]: out of range"));
        assert_eq!(Error::NoAnswer("refused".to_owned()).failure().kind, FailureKind::Unavailable);
    }

    #[test]
    fn an_error_without_a_description_is_one_too() {
        for error in [Value::Null, json!("alias [users] missing"), json!({ "reason": 1 })] {
            let Error::Status { status, .. } = Error::described(404, &error) else { panic!("it has a status") };
            assert_eq!(status, 404);
        }
    }

    #[test]
    fn a_url_that_cannot_be_used_is_named_and_not_shown() {
        for wrong in ["hunter2", "https://me:hunter2@search:9200", "http://search:9200/?hunter2"] {
            let error = Client::new("SEARCH_URL", &wrong.into()).unwrap_err().to_string();
            assert!(error.contains("SEARCH_URL") && !error.contains("hunter2"), "{error}");
        }
        let client = Client::new("SEARCH_URL", &"http://me:hunter2@search:9200/".into()).unwrap();
        assert!(!format!("{client:?}").contains("hunter2"));
    }
}
