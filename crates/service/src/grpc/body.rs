//! The bodies of a call: what is asked, within its limit, and what is answered, to its status or the program's stop.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::HeaderMap;
use hyper::body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Code, Status};

use super::MAX_MESSAGE;
use super::record::Record;

/// The five bytes before each message.
const PREFIX: usize = 5;

/// What a caller sends. A call here asks with one message; reflection with a few small ones.
pub(super) struct Asked {
    body: Body,
    left: usize,
}

impl Asked {
    pub(super) fn new(body: Body) -> Self {
        Self { body, left: MAX_MESSAGE + PREFIX }
    }
}

impl HttpBody for Asked {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(match frame {
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match self.left.checked_sub(length) {
                    Some(left) => {
                        self.left = left;
                        Some(Ok(frame))
                    }
                    None => Some(Err(too_large().into())),
                }
            }
            Some(Err(error)) => Some(Err(error.into())),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The generated code passes a status on that it finds in an error.
fn too_large() -> Status {
    Status::resource_exhausted(format!("a message may have at most {MAX_MESSAGE} bytes"))
}

/// What is answered. A stream without an end of its own ends when the program stops.
pub(super) struct Answered {
    body: Body,
    record: Record,
    stop: CancellationToken,
    /// Made only for answers that are waited for, which those with one message never are.
    stopped: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    ended: bool,
}

impl Answered {
    pub(super) fn new(body: Body, record: Record, stop: CancellationToken) -> Self {
        Self { body, record, stop, stopped: None, ended: false }
    }

    fn end(&mut self) -> Frame<Bytes> {
        self.ended = true;
        self.body = Body::empty();
        self.record.finish(Code::Unavailable);
        let mut trailers = HeaderMap::new();
        // It has no details, which alone could be no header.
        let _ = Status::unavailable("the server is stopping").add_header(&mut trailers);
        Frame::trailers(trailers)
    }
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            let stop = self.stop.clone();
            let stopped = self.stopped.get_or_insert_with(|| Box::pin(stop.cancelled_owned()));
            ready!(stopped.as_mut().poll(cx));
            return Poll::Ready(Some(Ok(self.end())));
        };
        match &frame {
            Some(Ok(frame)) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.record.finish_with(trailers);
                }
            }
            Some(Err(_)) | None => self.record.finish(Code::Unknown),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
