//! The bucket that images are kept in.
//!
//! `object_store` signs, reads, lists and deletes. It cannot upload without holding a whole object in memory, nor make a bucket:
//! both are plain requests to an address that it signs.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Method, Request, Response, StatusCode};
use futures_util::stream::BoxStream;
use futures_util::{Stream, TryStreamExt};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{BackoffConfig, Error, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, RetryConfig};
use secrecy::{ExposeSecret, SecretString};
use service::{ApiError, ApiResult};
use tokio::sync::{Notify, mpsc};
use url::Url;

use super::transport::Transport;
use super::{Key, Kind};

/// What is not answered within this time is not tried again.
const RETRIED: Duration = Duration::from_secs(4);

/// How long a signed address holds: longer than an upload may take.
const SIGNED: Duration = Duration::from_secs(600);

const RETRY_AFTER: Duration = Duration::from_secs(5);

/// How much of what the storage says against a request is logged.
const COMPLAINT: usize = 2_000;

/// The bucket. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    store: Arc<AmazonS3>,
    transport: Transport,
    pub(super) region: Arc<str>,
    /// Told when an upload finds no bucket.
    pub(super) missing: Arc<Notify>,
}

/// The storage has no such object.
#[derive(Debug)]
pub(crate) struct Gone;

impl Storage {
    pub(super) fn new(
        url: &Url,
        bucket: &str,
        region: &str,
        access_key: &str,
        secret_key: &SecretString,
    ) -> anyhow::Result<Self> {
        let transport = Transport::new().context("reading this machine's certificates")?;
        let backoff = BackoffConfig { init_backoff: Duration::from_millis(100), ..BackoffConfig::default() };
        let store = AmazonS3Builder::new()
            .with_endpoint(url.as_str().trim_end_matches('/'))
            .with_allow_http(true)
            .with_virtual_hosted_style_request(false)
            .with_bucket_name(bucket)
            .with_region(region)
            .with_access_key_id(access_key)
            .with_secret_access_key(secret_key.expose_secret())
            .with_retry(RetryConfig { backoff, max_retries: 2, retry_timeout: RETRIED })
            .with_http_connector(transport.clone())
            .build()
            .context("the storage at S3_URL")?;
        Ok(Self { store: Arc::new(store), transport, region: region.into(), missing: Arc::default() })
    }

    /// Stores an object of this size, whose parts come one after the other.
    ///
    /// # Errors
    /// 503 if the storage does not take it. If the parts end before the size is reached, nothing is stored.
    pub(super) async fn put(&self, key: Key, kind: Kind, size: u64, parts: mpsc::Receiver<Bytes>) -> ApiResult<()> {
        let body = Body::from_stream(Parts { parts, left: size });
        let answer = self.signed(Method::PUT, &key.path(), Some((kind.media_type(), size)), body).await?;
        if answer.status().is_success() {
            return Ok(());
        }
        if answer.status() == StatusCode::NOT_FOUND {
            self.missing.notify_one();
        }
        Err(away().because(complaint(answer).await))
    }

    /// Opens an object for reading.
    ///
    /// # Errors
    /// 503 if the storage does not answer.
    pub(crate) async fn get(&self, key: Key) -> ApiResult<Result<GetResult, Gone>> {
        match self.store.get(&key.path()).await {
            Ok(found) => Ok(Ok(found)),
            Err(Error::NotFound { .. }) => Ok(Err(Gone)),
            Err(error) => Err(away().because(error)),
        }
    }

    /// Removes an object, if it is there.
    pub(super) async fn delete(&self, key: Key) -> object_store::Result<()> {
        match self.store.delete(&key.path()).await {
            Err(Error::NotFound { .. }) => Ok(()),
            deleted => deleted,
        }
    }

    /// All objects of products, in the order of their names.
    pub(super) fn list(&self) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.store.list(Some(&Path::from(Key::PREFIX)))
    }

    /// Whether the bucket is there.
    pub(crate) async fn check(self) -> object_store::Result<()> {
        self.store.list(Some(&Path::from("nothing"))).try_next().await.map(drop)
    }

    /// Asks something that `object_store` does not; the answer whatever it is.
    pub(super) async fn signed(
        &self,
        method: Method,
        path: &Path,
        content: Option<(&str, u64)>,
        body: Body,
    ) -> ApiResult<Response<Incoming>> {
        let url = self.store.signed_url(method.clone(), path, SIGNED).await.map_err(anyhow::Error::new)?;
        let mut request = Request::builder().method(method).uri(url.as_str());
        if let Some((media_type, size)) = content {
            request = request.header(CONTENT_TYPE, media_type).header(CONTENT_LENGTH, size);
        }
        let request = request.body(body).map_err(anyhow::Error::new)?;
        self.transport.send(request).await.map_err(|error| away().because(error))
    }
}

/// What the storage says against a request.
pub(super) async fn complaint(answer: Response<Incoming>) -> anyhow::Error {
    let status = answer.status();
    let body =
        tokio::time::timeout(Duration::from_secs(1), Limited::new(answer.into_body(), COMPLAINT).collect()).await;
    let body = body.ok().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default();
    anyhow::anyhow!("the storage answered {status}: {}", String::from_utf8_lossy(&body))
}

/// The answer while the storage does not do its work.
pub(super) fn away() -> ApiError {
    ApiError::unavailable("the object storage does not answer", RETRY_AFTER)
}

/// An upload's body, which breaks off if its parts end too early: then the storage keeps nothing.
struct Parts {
    parts: mpsc::Receiver<Bytes>,
    left: u64,
}

impl Stream for Parts {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.parts.poll_recv(cx).map(|part| match part {
            Some(part) => {
                self.left = self.left.saturating_sub(part.len() as u64);
                Some(Ok(part))
            }
            None if self.left == 0 => None,
            None => Some(Err(std::io::ErrorKind::UnexpectedEof.into())),
        })
    }
}
