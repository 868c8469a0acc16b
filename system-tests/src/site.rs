//! A whole Warren as its user sees it: two addresses.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, RequestBuilder};
use serde_json::Value;
use uuid::Uuid;

/// Longer than any answer may take, `Prefer: wait` included.
const ANSWER_LIMIT: Duration = Duration::from_secs(45);

/// Shorter than any program keeps a silent connection: or a request would now and then meet one that is being closed.
const KEPT_IDLE: Duration = Duration::from_secs(5);

/// How many seconds a write is awaited: a busy machine takes its time.
const WAIT: &str = "wait=30";

/// Where producer and consumer are.
#[derive(Clone, Debug)]
pub struct Site {
    producer: String,
    consumer: String,
    client: Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

impl Site {
    /// The site whose producer and consumer are at these base URLs.
    pub fn new(producer: &str, consumer: &str) -> Self {
        Self { producer: producer.to_owned(), consumer: consumer.to_owned(), client: built(client()) }
    }

    /// The site as the users of a gateway see it: all goes there.
    pub fn behind(gateway: &str) -> Self {
        Self::new(gateway, gateway)
    }

    /// The same site, asked with this access token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        let token = HeaderValue::try_from(format!("Bearer {token}")).expect("a token can be sent in a header");
        let client = built(client().default_headers(HeaderMap::from_iter([(AUTHORIZATION, token)])));
        Self { client, ..self.clone() }
    }

    /// Reads from the producer, or sends one of the writes that are a GET.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.producer))
    }

    /// Writes to the producer.
    pub fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.producer)).json(body)
    }

    /// Writes to the producer, as a form in a browser does.
    pub fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.producer)).form(fields)
    }

    /// Changes something at the producer.
    pub fn put(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.put(format!("{}{path}", self.producer)).json(body)
    }

    /// Deletes something at the producer.
    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.client.delete(format!("{}{path}", self.producer))
    }

    /// Reads from the consumer.
    pub fn read(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.consumer))
    }

    /// Waits until the consumer answers this with a success.
    pub async fn found(&self, path: &str) -> Answer {
        testkit::eventually(&format!("{path} is there"), async || {
            let answer = self.read(path).answer().await;
            (answer.status == 200).then_some(answer)
        })
        .await
    }

    /// Waits until the consumer knows nothing of this.
    pub async fn gone(&self, path: &str) {
        testkit::eventually(&format!("{path} is gone"), async || {
            (self.read(path).answer().await.status == 404).then_some(())
        })
        .await;
    }

    /// Waits until the task has ended well, and gives it.
    pub async fn done(&self, task: Uuid) -> Value {
        testkit::eventually(&format!("task {task} is done"), async || {
            let task = self.get(&format!("/tasks/{task}")).answer().await.expect(200).json();
            (task["state"] == "done").then_some(task)
        })
        .await
    }
}

fn client() -> ClientBuilder {
    Client::builder().no_proxy().timeout(ANSWER_LIMIT).pool_idle_timeout(KEPT_IDLE)
}

fn built(client: ClientBuilder) -> Client {
    client.build().expect("a client without TLS needs nothing")
}

/// Sends a request and reads its answer.
pub trait Ask {
    /// The answer; none at all fails the test.
    fn answer(self) -> impl Future<Output = Answer>;

    /// The answer, if there is one to its end.
    fn try_answer(self) -> impl Future<Output = Option<Answer>> + Send;

    /// The answer to a write that is held until its effects are in every store.
    fn effect(self) -> impl Future<Output = Answer>;
}

impl Ask for RequestBuilder {
    async fn answer(self) -> Answer {
        let response = self.send().await.unwrap_or_else(|error| panic!("no answer: {error:?}"));
        read(response).await.unwrap_or_else(|error| panic!("the answer broke off: {error:?}"))
    }

    async fn try_answer(self) -> Option<Answer> {
        read(self.send().await.ok()?).await.ok()
    }

    async fn effect(self) -> Answer {
        let answer = self.header("prefer", WAIT).answer().await.expect(200);
        assert_eq!(answer.json()["state"], "done", "{}", answer.body);
        answer
    }
}

async fn read(response: reqwest::Response) -> reqwest::Result<Answer> {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer { status, headers, body: response.text().await? })
}

impl Answer {
    /// The same answer, which must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.body))
    }

    /// A header that is text; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// An id that the body has under this name.
    #[track_caller]
    pub fn id(&self, name: &str) -> Uuid {
        let id = self.json()[name].as_str().and_then(|id| id.parse().ok());
        id.unwrap_or_else(|| panic!("there is no id `{name}` in {}", self.body))
    }
}
