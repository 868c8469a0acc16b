//! Asking the registry, whichever of its replicas answers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::uri::Authority;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::RegistryArgs;
use crate::body::SentBody;
use crate::transport::Transport;

/// How long a replica may take to answer.
const LIMIT: Duration = Duration::from_secs(2);

/// The largest list of instances that is read.
pub(crate) const MAX_ANSWER: usize = 8 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Registry {
    replicas: Vec<Authority>,
    /// The one that answered last.
    preferred: AtomicUsize,
    authorization: HeaderValue,
    transport: Transport,
}

impl Registry {
    /// `None` if the settings name no registry.
    pub(crate) fn new(args: &RegistryArgs, transport: Transport) -> anyhow::Result<Option<Self>> {
        let replicas: Vec<_> = args.registry_url.0.iter().map(|url| url.authority().clone()).collect();
        if replicas.is_empty() {
            return Ok(None);
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", args.registry_token.expose_secret()))
            .context("REGISTRY_TOKEN cannot be sent as it has signs that no header may have")?;
        authorization.set_sensitive(true);
        Ok(Some(Self { replicas, preferred: AtomicUsize::new(0), authorization, transport }))
    }

    /// The replica that answered last, and after it the others.
    pub(crate) fn replicas(&self) -> impl Iterator<Item = (usize, &Authority)> {
        let first = self.preferred.load(Ordering::Relaxed);
        (first..first + self.replicas.len()).map(|at| at % self.replicas.len()).map(|at| (at, &self.replicas[at]))
    }

    pub(crate) fn prefer(&self, replica: usize) {
        self.preferred.store(replica, Ordering::Relaxed);
    }

    /// Asks without a proof of who we are.
    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
        self.ask(|replica| request(Method::GET, replica, path, None)).await
    }

    /// Tells something of ourselves.
    pub(crate) async fn post<B: Serialize>(&self, path: &str, body: &B) -> anyhow::Result<(StatusCode, Bytes)> {
        let json = Bytes::from(serde_json::to_vec(body)?);
        self.ask(|replica| {
            let mut request = request(Method::POST, replica, path, Some(json.clone()))?;
            let headers = request.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(AUTHORIZATION, self.authorization.clone());
            Ok(request)
        })
        .await
    }

    /// Opens a stream at one replica.
    pub(crate) async fn open(&self, replica: &Authority, path: &str) -> anyhow::Result<Incoming> {
        let mut request = request(Method::GET, replica, path, None)?;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let answer = self.transport.send(request, None, LIMIT).await;
        let answer = answer.map_err(|failure| anyhow::anyhow!("{replica}: {failure}"))?;
        anyhow::ensure!(answer.status() == StatusCode::OK, "{replica}: it answered {}", answer.status());
        Ok(answer.into_body())
    }

    async fn ask(
        &self,
        request: impl Fn(&Authority) -> anyhow::Result<Request<SentBody>>,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut last = Err(anyhow::anyhow!("there is no registry"));
        for (at, replica) in self.replicas() {
            last = self.exchange(request(replica)?).await.with_context(|| replica.to_string());
            if matches!(&last, Ok((status, _)) if !status.is_server_error()) {
                self.prefer(at);
                break;
            }
        }
        last
    }

    async fn exchange(&self, request: Request<SentBody>) -> anyhow::Result<(StatusCode, Bytes)> {
        let exchange = async {
            let answer = self.transport.send(request, None, LIMIT).await;
            let (head, body) = answer.map_err(|failure| anyhow::anyhow!("{failure}"))?.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| anyhow::anyhow!(error))?;
            Ok((head.status, body.to_bytes()))
        };
        tokio::time::timeout(LIMIT, exchange).await.context("it did not answer in time")?
    }
}

fn request(method: Method, replica: &Authority, path: &str, body: Option<Bytes>) -> anyhow::Result<Request<SentBody>> {
    let uri = Uri::builder().scheme("http").authority(replica.clone()).path_and_query(path).build()?;
    Ok(Request::builder().method(method).uri(uri).body(SentBody::Whole(body))?)
}

/// What a refusal says.
pub(crate) fn refusal((status, body): &(StatusCode, Bytes)) -> String {
    let text: String = String::from_utf8_lossy(body).chars().take(300).collect();
    format!("it answered {status}: {text}")
}
