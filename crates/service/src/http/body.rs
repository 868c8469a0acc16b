//! Request bodies within limits: a size, and a time for the client to send them.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::HttpSettings;
use super::error::ApiError;

/// How long the rest of a body that is too large is read and thrown away, so that the client gets to see the answer:
/// one that is still sending when the connection closes sees a reset instead.
const DISCARD: Duration = Duration::from_secs(5);

/// Puts a request's body, if it has one, under its limits.
pub(super) fn limit(request: Request, settings: &HttpSettings) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    let (limit, timeout) = (settings.body_limit as u64, settings.body_timeout);
    request.map(|body| {
        let too_large = body.size_hint().lower() > limit;
        Body::new(Limited { body, left: limit, timeout, deadline: None, too_large })
    })
}

/// Reads a whole body that is under its limits.
pub(super) async fn read(body: Body) -> Result<Bytes, ApiError> {
    match body.collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(match broken(&error) {
            Some(Broken::TooLarge) => ApiError::payload_too_large("the body is larger than this service accepts"),
            Some(Broken::TooSlow) => ApiError::request_timeout("the body did not arrive in time"),
            None => ApiError::bad_request("the body ended before it was complete"),
        }),
    }
}

/// Finds out why a body could not be read, through the layers that wrapped the error.
fn broken(error: &axum::Error) -> Option<Broken> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(broken) = error.downcast_ref::<Broken>() {
            return Some(*broken);
        }
        source = error.source();
    }
    None
}

#[derive(Clone, Copy, Debug)]
enum Broken {
    TooLarge,
    TooSlow,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the body is too large",
            Self::TooSlow => "the body arrives too slowly",
        })
    }
}

impl std::error::Error for Broken {}

struct Limited {
    body: Body,
    left: u64,
    timeout: Duration,
    /// Made when the body is first waited for: one that has already arrived needs no timer.
    deadline: Option<Pin<Box<Sleep>>>,
    too_large: bool,
}

impl Limited {
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let timeout = if self.too_large { DISCARD } else { self.timeout };
        self.deadline
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + timeout)))
            .as_mut()
            .poll(cx)
            .is_ready()
    }
}

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending if self.is_late(cx) => {
                    let broken = if self.too_large { Broken::TooLarge } else { Broken::TooSlow };
                    return Poll::Ready(Some(Err(broken.into())));
                }
                Poll::Pending => return Poll::Pending,
            };
            if self.too_large {
                match frame {
                    Some(Ok(_)) => continue,
                    Some(Err(_)) | None => return Poll::Ready(Some(Err(Broken::TooLarge.into()))),
                }
            }
            let Some(Ok(frame)) = frame else { return Poll::Ready(frame.map(|frame| frame.map_err(Into::into))) };
            match self.left.checked_sub(frame.data_ref().map_or(0, |data| data.len() as u64)) {
                Some(left) => {
                    self.left = left;
                    return Poll::Ready(Some(Ok(frame)));
                }
                None => self.too_large = true,
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        !self.too_large && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
