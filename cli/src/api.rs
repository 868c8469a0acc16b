//! Requests to Warren's HTTP APIs, tried again where that is safe and may help.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::sleep;

use crate::failure::Failure;

/// Longer than a part of a replay takes.
const LIMIT: Duration = Duration::from_secs(40);

/// A body that is streamed may come for as long as it likes, but not be silent for longer: services show that they live more often.
const LONGEST_SILENCE: Duration = Duration::from_secs(120);

/// How often a request is tried.
const TRIES: u32 = 4;

/// The longest wait between two tries, whatever the server would like.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What sends requests. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Client,
    /// For bodies that are streamed.
    streaming: Client,
    /// The first wait between two tries; doubled after each.
    base: Duration,
}

/// An answer that says why not (RFC 9457).
#[derive(Debug, Default, Deserialize)]
struct Problem {
    detail: Option<String>,
    #[serde(default)]
    errors: Vec<FieldError>,
}

#[derive(Debug, Deserialize)]
struct FieldError {
    field: String,
    message: String,
}

/// Why a request was not answered with a success.
enum Why {
    Unreachable(reqwest::Error),
    Answered(StatusCode, Option<Duration>, Problem),
}

impl Http {
    pub(crate) fn new() -> Result<Self, Failure> {
        let client = |limits: fn(ClientBuilder) -> ClientBuilder| {
            let builder = Client::builder().no_proxy().connect_timeout(Duration::from_secs(5));
            limits(builder).build().map_err(|error| Failure::Wrong(error.to_string()))
        };
        let streaming = client(|builder| builder.read_timeout(LONGEST_SILENCE))?;
        Ok(Self { client: client(|builder| builder.timeout(LIMIT))?, streaming, base: Duration::from_millis(500) })
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, Failure> {
        self.send(url, |client| client.get(url)).await
    }

    /// Posts what may be posted again.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        url: &str,
        token: Option<&SecretString>,
        finish: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<T, Failure> {
        self.send(url, |client| {
            let request = finish(client.post(url));
            match token {
                Some(token) => request.bearer_auth(token.expose_secret()),
                None => request,
            }
        })
        .await
    }

    /// Sends what may be sent again.
    pub(crate) async fn send<T: DeserializeOwned>(
        &self,
        url: &str,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<T, Failure> {
        let response = self.answered(TRIES, || request(&self.client)).await.map_err(|why| why.failure(url))?;
        read(url, response).await
    }

    /// Sends what may be sent again, and is answered with a body that is streamed.
    pub(crate) async fn stream(
        &self,
        url: &str,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Response, Failure> {
        self.answered(TRIES, || request(&self.streaming)).await.map_err(|why| why.failure(url))
    }

    /// Begins what is not begun twice, and tells how far it is by a body that is streamed.
    pub(crate) async fn begin(
        &self,
        url: &str,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Response, Failure> {
        self.answered(1, || request(&self.streaming)).await.map_err(|why| match why {
            // Somebody else has begun it.
            Why::Answered(StatusCode::CONFLICT, _, problem) => Failure::Away(format!("not now{}", problem.told())),
            why => why.failure(url),
        })
    }

    /// The first answer that is a success.
    async fn answered(&self, tries: u32, request: impl Fn() -> RequestBuilder) -> Result<Response, Why> {
        let mut wait = self.base;
        for attempt in 1.. {
            let why = match request().send().await {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(response) => refused(response).await,
                Err(error) => Why::Unreachable(error),
            };
            let asked_for = match &why {
                Why::Unreachable(_) => Some(wait),
                Why::Answered(StatusCode::TOO_MANY_REQUESTS, after, _) => *after,
                Why::Answered(status, after, _) if is_passing(*status) => Some(after.unwrap_or(wait).min(LONGEST_WAIT)),
                Why::Answered(..) => None,
            };
            match asked_for.filter(|asked_for| attempt < tries && *asked_for <= LONGEST_WAIT) {
                Some(asked_for) => sleep(asked_for).await,
                None => return Err(why),
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        unreachable!("the last try returns")
    }
}

fn is_passing(status: StatusCode) -> bool {
    [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT].contains(&status)
}

async fn read<T: DeserializeOwned>(url: &str, response: Response) -> Result<T, Failure> {
    let body = response.bytes().await.map_err(|error| Failure::Away(format!("{url}: {}", told(error))))?;
    serde_json::from_slice(&body)
        .map_err(|error| Failure::Wrong(format!("{url} answers what is not understood: {error}")))
}

async fn refused(response: Response) -> Why {
    let status = response.status();
    let after = response.headers().get("retry-after").and_then(|after| after.to_str().ok()?.parse().ok());
    let problem = response.json().await.unwrap_or_default();
    Why::Answered(status, after.map(Duration::from_secs), problem)
}

impl Why {
    fn failure(self, url: &str) -> Failure {
        match self {
            Self::Unreachable(error) => Failure::Away(format!("{url} does not answer: {}", told(error))),
            Self::Answered(status, after, problem) => {
                let why = format!("{url} answers {status}{}", problem.told());
                match status {
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::Refused(why),
                    StatusCode::TOO_MANY_REQUESTS => {
                        let when = after.map(|after| format!(" in {} s", after.as_secs())).unwrap_or_default();
                        Failure::Partly(format!(
                            "{why}. Run it again{when}: nothing is done twice. Or go past the gateway by --direct"
                        ))
                    }
                    status if is_passing(status) => Failure::Away(why),
                    _ => Failure::Wrong(why),
                }
            }
        }
    }
}

impl Problem {
    fn told(self) -> String {
        let detail = self.detail.map(|detail| format!(": {detail}")).unwrap_or_default();
        let errors: Vec<_> = self.errors.iter().map(|error| format!("{} {}", error.field, error.message)).collect();
        if errors.is_empty() { detail } else { format!("{detail} ({})", errors.join("; ")) }
    }
}

/// The innermost cause, which says most; the URL is told already.
pub(crate) fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
