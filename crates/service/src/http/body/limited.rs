//! A body as it is sent, within its limits.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use futures_util::Stream;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::super::HttpSettings;
use super::Broken;

/// How long the rest of a body that is refused is read and thrown away beside its answer: a client that is still sending when
/// the connection closes sees a reset instead.
const DISCARD: Duration = Duration::from_secs(5);

pub(super) struct Limited {
    body: Body,
    left: u64,
    stall: Duration,
    /// How long the whole body may take from when it is first waited for.
    total: Option<Duration>,
    /// When that is over.
    end: Option<Instant>,
    /// Made when the body is first waited for: one that has already arrived needs no timer.
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the timer runs for the frame that is waited for.
    waiting: bool,
    refused: Option<Broken>,
    /// Whether the client waits to be told that it may send.
    expects: bool,
}

impl Limited {
    pub(super) fn new(body: Body, expects: bool, settings: &HttpSettings) -> Self {
        let limit = settings.body_limit as u64;
        let too_large = body.size_hint().lower() > limit;
        let mut limited = Self {
            body,
            left: limit,
            stall: settings.body_stall,
            total: settings.body_timeout,
            end: None,
            timer: None,
            waiting: false,
            refused: None,
            expects,
        };
        if too_large {
            limited.refuse(Broken::TooLarge);
        }
        limited
    }

    /// Ends the body with an error when it is read.
    pub(super) fn refuse(&mut self, why: Broken) {
        self.refused = Some(why);
    }

    /// Throws the rest away while the client is answered. Nothing comes of a client that waits to be told to send, and to read
    /// its body would tell it.
    fn discard(&mut self) {
        let mut rest = std::mem::take(&mut self.body);
        if !self.expects && !rest.is_end_stream() {
            let discarding = async move { while let Some(Ok(_)) = rest.frame().await {} };
            tokio::spawn(tokio::time::timeout(DISCARD, discarding));
        }
    }

    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.waiting {
            self.waiting = true;
            let now = Instant::now();
            let end = *self.end.get_or_insert_with(|| now + self.total.unwrap_or(FOREVER));
            let deadline = end.min(now + self.stall);
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(deadline),
                None => self.timer = Some(Box::pin(sleep_until(deadline))),
            }
        }
        self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready())
    }
}

/// Longer than any program runs, and still a date.
const FOREVER: Duration = Duration::from_secs(30 * 366 * 86_400);

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.refused.is_none() {
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending if self.is_late(cx) => return Poll::Ready(Some(Err(Broken::TooSlow.into()))),
                Poll::Pending => return Poll::Pending,
            };
            (self.waiting, self.expects) = (false, false);
            let Some(Ok(frame)) = frame else { return Poll::Ready(frame.map(|frame| frame.map_err(Into::into))) };
            if let Some(left) = self.left.checked_sub(frame.data_ref().map_or(0, |data| data.len() as u64)) {
                self.left = left;
                return Poll::Ready(Some(Ok(frame)));
            }
        }
        let refused = *self.refused.get_or_insert(Broken::TooLarge);
        self.discard();
        Poll::Ready(Some(Err(refused.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.refused.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Its data alone, as decoders read it.
impl Stream for Limited {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            match ready!(self.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                None => return Poll::Ready(None),
            }
        }
    }
}
