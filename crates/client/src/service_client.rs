//! Calls between services with JSON on both sides.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::headers::{CORRELATION_ID, REQUEST_ID};
use crate::{Call, CallBody, CallError, Services};

/// The largest answer that is read.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A service that is called with JSON.
#[derive(Clone, Debug)]
pub struct ServiceClient {
    services: Services,
    service: &'static str,
}

/// Why a call did not bring what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// There is no answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The service refused, or failed.
    #[error("`{service}` answered {status}{}", detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default())]
    Status {
        /// Who was called.
        service: &'static str,
        /// Its answer.
        status: StatusCode,
        /// What its problem says.
        detail: Option<String>,
    },
    /// The answer is none that was expected.
    #[error("`{service}` sent an answer that cannot be read: {reason}")]
    Unreadable {
        /// Who was called.
        service: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such request.
    #[error("the request cannot be made: {0}")]
    Request(String),
}

impl ServiceError {
    /// The status of the answer, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl ServiceClient {
    pub(crate) fn new(services: Services, service: &'static str) -> Self {
        Self { services, service }
    }

    /// Reads; `path` may have a query.
    pub fn get(&self, path: &str) -> ServiceCall {
        self.call(Method::GET, path)
    }

    /// Sends something new.
    pub fn post(&self, path: &str) -> ServiceCall {
        self.call(Method::POST, path)
    }

    /// Replaces something.
    pub fn put(&self, path: &str) -> ServiceCall {
        self.call(Method::PUT, path)
    }

    /// Removes something.
    pub fn delete(&self, path: &str) -> ServiceCall {
        self.call(Method::DELETE, path)
    }

    fn call(&self, method: Method, path: &str) -> ServiceCall {
        let request = Request::builder().method(method).uri(path).header(header::ACCEPT, "application/json");
        ServiceCall { client: self.clone(), request, body: Ok(Bytes::new()), timeout: None, repeatable: false }
    }
}

/// A call that is being put together.
#[derive(Debug)]
#[must_use = "nothing is sent before `send`"]
pub struct ServiceCall {
    client: ServiceClient,
    request: http::request::Builder,
    body: Result<Bytes, serde_json::Error>,
    timeout: Option<Duration>,
    repeatable: bool,
}

impl ServiceCall {
    /// With a body.
    pub fn json<B: Serialize + ?Sized>(mut self, body: &B) -> Self {
        self.body = serde_json::to_vec(body).map(Bytes::from);
        self.header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }

    /// With a header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// As a part of what a client asked for, by the ids of its request.
    pub fn ids(mut self, request_id: &str, correlation_id: &str) -> Self {
        self.request = self.request.header(REQUEST_ID, request_id).header(CORRELATION_ID, correlation_id);
        self
    }

    /// With a key by which the service knows it again: so it may be sent twice.
    pub fn idempotency_key(mut self, key: &str) -> Self {
        self.repeatable = true;
        self.request = self.request.header(IDEMPOTENCY_KEY, key);
        self
    }

    /// With a time limit of its own for each try.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends it, and reads the answer to the end within the time limit of a try.
    ///
    /// # Errors
    /// If there is no answer, or one that is not a success, or not the JSON that was expected.
    pub async fn send<T: DeserializeOwned>(self) -> Result<T, ServiceError> {
        let ServiceClient { services, service } = self.client;
        let body = self.body.map_err(|error| ServiceError::Request(error.to_string()))?;
        let request = self.request.body(CallBody::Whole(body));
        let request = request.map_err(|error| ServiceError::Request(error.to_string()))?;
        let limit = self.timeout.unwrap_or(services.default_timeout());
        let call = Call { request, timeout: self.timeout, repeatable: self.repeatable };

        let (head, body) = services.send(service, call).await?.response.into_parts();
        let read = tokio::time::timeout(limit, Limited::new(body, MAX_ANSWER).collect()).await;
        let body = match read {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) => return Err(ServiceError::Unreadable { service, reason: error.to_string() }),
            Err(_) => return Err(CallError::TimedOut { service: service.to_owned() }.into()),
        };
        if !head.status.is_success() {
            let detail = serde_json::from_slice(&body).ok().and_then(|problem: Problem| problem.detail);
            return Err(ServiceError::Status { service, status: head.status, detail });
        }
        // An answer without a body, such as 204, is read as `null`: the unit type and `Option` take it.
        let json = if body.is_empty() { b"null" } else { body.as_ref() };
        serde_json::from_slice(json).map_err(|error| ServiceError::Unreadable { service, reason: error.to_string() })
    }
}

#[derive(Deserialize)]
struct Problem {
    detail: Option<String>,
}
