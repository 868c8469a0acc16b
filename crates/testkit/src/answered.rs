//! Requests to our own programs, and their answers.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;

/// Longer than any answer takes.
const LIMIT: Duration = Duration::from_secs(40);

/// An answer that was read to its end.
#[derive(Debug)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

/// Sends a request and reads its answer.
pub trait Ask {
    /// The answer.
    ///
    /// # Panics
    /// If there is none, to its end and in time.
    fn answer(self) -> impl Future<Output = Answered> + Send;

    /// With this user's token.
    #[must_use]
    fn by(self, user: impl AsRef<str>) -> Self;
}

impl Ask for RequestBuilder {
    async fn answer(self) -> Answered {
        let response: Response = self.timeout(LIMIT).send().await.expect("the program answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await.expect("the answer ends in order");
        Answered { status, headers, body }
    }

    fn by(self, user: impl AsRef<str>) -> Self {
        self.bearer_auth(user.as_ref())
    }
}

impl Answered {
    /// The same answer, which must have this status, and be a problem if it is an error.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        if status >= 400 {
            assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        }
        self
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.body))
    }

    /// A header; empty if it is not there.
    ///
    /// # Panics
    /// If it is not text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("headers are text"))
    }
}
