//! Making the bucket.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use messaging::Backoff;
use object_store::path::Path;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Storage;
use super::storage::complaint;
use super::transport::ANSWER;

/// Where a bucket is when nothing else is said; saying so is an error.
const DEFAULT_REGION: &str = "us-east-1";

/// The shortest time between two tries.
const PAUSE: Duration = Duration::from_secs(1);

impl Storage {
    /// Makes the bucket at the start, and whenever an upload finds that it is gone, until the stop. While that fails it is tried
    /// again: nothing but images waits for it.
    pub(crate) async fn keep_bucket(self, stop: CancellationToken) {
        let keeping = async {
            loop {
                for wait in Backoff::RECONNECT.delays() {
                    match self.make_bucket().await {
                        Ok(()) => break,
                        Err(error) => tracing::warn!(%error, "the bucket of images cannot be made yet"),
                    }
                    tokio::time::sleep(wait).await;
                }
                tokio::time::sleep(PAUSE).await;
                self.missing.notified().await;
            }
        };
        let _ = stop.run_until_cancelled(keeping).await;
    }

    async fn make_bucket(&self) -> anyhow::Result<()> {
        if timeout(ANSWER * 3, self.clone().check()).await?.is_ok() {
            return Ok(());
        }
        let configuration = match &*self.region {
            DEFAULT_REGION => String::new(),
            region => format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            ),
        };
        let content = Some(("application/xml", configuration.len() as u64));
        let bucket = Path::default();
        let asked = self.signed(Method::PUT, &bucket, content, Body::from(configuration));
        let answer = timeout(ANSWER, asked).await?.map_err(|error| match error.detail() {
            Some(detail) => anyhow::anyhow!("{detail}"),
            None => anyhow::anyhow!("{error}"),
        })?;
        // Another instance may have come before.
        if answer.status().is_success() || answer.status() == StatusCode::CONFLICT {
            tracing::info!("the bucket of images is there");
            return Ok(());
        }
        Err(complaint(answer).await)
    }
}
