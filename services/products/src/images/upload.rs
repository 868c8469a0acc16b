//! Receiving an image: passed on to the storage as it comes, never held as a whole.

use std::pin::pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, TryStreamExt};
use ring::digest::{Context, SHA256};
use service::{ApiError, ApiResult};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::storage::away;
use super::{Image, Key, Kind, Storage};

/// How long the storage may take no further part, or not answer once it has them all.
const STALLED: Duration = Duration::from_secs(10);

/// How long the rest of a body that is not wanted is read, so that who sends it gets to see the answer.
const DISCARDED: Duration = Duration::from_secs(5);

/// Stores the body of a request, which says how long it is and what is in it.
///
/// # Errors
/// 415 if it does not begin as what it is said to be; what is wrong with the body; 503 if the storage does not take it. Something
/// of it may then be in the storage.
pub(crate) async fn receive(storage: &Storage, key: Key, kind: Kind, size: u64, body: Body) -> ApiResult<Image> {
    let mut body = body.into_data_stream().map_err(|error| ApiError::of_body(&error)).fuse();
    let (parts, taken) = mpsc::channel::<Bytes>(1);
    let mut digest = Context::new(&SHA256);

    let mut head = Vec::with_capacity(Kind::HEAD);
    let mut begun = Vec::new();
    while head.len() < Kind::HEAD
        && let Some(part) = body.try_next().await?
    {
        head.extend_from_slice(&part[..part.len().min(Kind::HEAD - head.len())]);
        begun.push(part);
    }
    if Kind::of_bytes(&head) != Some(kind) {
        discard(body).await;
        return Err(ApiError::unsupported_media_type(format!("the body is no {}", kind.media_type())));
    }

    let failed = {
        let mut storing = pin!(storage.put(key, kind, size, taken));
        let passing = async {
            let mut begun = begun.into_iter();
            loop {
                let next = match begun.next() {
                    Some(part) => Some(part),
                    None => body.try_next().await?,
                };
                let Some(part) = next else { return ApiResult::Ok(()) };
                digest.update(&part);
                match timeout(STALLED, parts.send(part)).await {
                    Ok(Ok(())) => {}
                    // The storage has answered, or failed: that is the other's to tell.
                    Ok(Err(_)) => std::future::pending().await,
                    Err(late) => return Err(away().because(late)),
                }
            }
        };
        let passed = tokio::select! {
            passed = passing => passed,
            stored = &mut storing => Err(stored.err().unwrap_or_else(away)),
        };
        match passed {
            Ok(()) => {
                drop(parts);
                let stored = timeout(STALLED, storing).await;
                stored.unwrap_or_else(|late| Err(away().because(late))).err()
            }
            Err(error) => Some(error),
        }
    };
    if let Some(error) = failed {
        discard(body).await;
        return Err(error);
    }
    let etag = digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let size = i64::try_from(size).map_err(anyhow::Error::new)?;
    Ok(Image { id: key.id, epoch: key.epoch, content_type: kind.media_type().to_owned(), size, etag })
}

/// Reads on for a while and keeps nothing: who is still sending when the connection is closed sees a reset and not the answer.
pub(crate) async fn discard<E>(body: impl futures_util::Stream<Item = Result<Bytes, E>>) {
    let mut body = pin!(body);
    let discarding = async { while let Some(Ok(_)) = body.next().await {} };
    let _ = timeout(DISCARDED, discarding).await;
}
