//! Requests sent, and their answers read to the end.

use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::Value;
use uuid::Uuid;

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
}

/// Sends a request and reads its answer.
pub(crate) trait Ask {
    async fn answer(self) -> Answered;
}

impl Ask for RequestBuilder {
    async fn answer(self) -> Answered {
        let response: Response = self.send().await.expect("the producer answers");
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.text().await.expect("the answer ends in order");
        Answered { status, headers, body }
    }
}

impl Answered {
    /// The same answer, which must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("headers are text"))
    }

    /// The id of the task that was made.
    #[track_caller]
    pub(crate) fn task(&self) -> String {
        let id: Uuid = self.json()["task_id"].as_str().unwrap_or_default().parse().expect("an answer names its task");
        id.to_string()
    }

    /// A problem, without what differs each time.
    #[track_caller]
    pub(crate) fn problem(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        let mut problem = self.json();
        assert!(problem["instance"].is_string(), "{problem}");
        problem.as_object_mut().expect("a problem is an object").remove("instance");
        problem
    }
}
