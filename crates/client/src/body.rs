//! Bodies on their way: one to an instance, which can be taken back while it is untouched, and one from it, which counts as
//! its work.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::Instant;

use crate::CallBody;
use crate::instance::Attempt;

/// How long a client may pause in its body, whatever the time limit of the call.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The body of a call, kept for another try.
#[derive(Debug)]
pub(crate) enum Kept {
    Whole(Bytes),
    Stream(Arc<Upload>),
}

impl Kept {
    pub(crate) fn new(body: CallBody) -> Self {
        match body {
            CallBody::Whole(bytes) => Self::Whole(bytes),
            CallBody::Stream(body) if body.is_end_stream() => Self::Whole(Bytes::new()),
            CallBody::Stream(body) => Self::Stream(Arc::new(Upload::new(body))),
        }
    }

    /// For one try.
    pub(crate) fn to_send(&self) -> SentBody {
        match self {
            Self::Whole(bytes) => SentBody::Whole(Some(bytes.clone()).filter(|bytes| !bytes.is_empty())),
            Self::Stream(upload) => SentBody::Stream(upload.clone()),
        }
    }

    /// Whether all of it can be sent again.
    pub(crate) fn is_there(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Stream(upload) => upload.untouched(),
        }
    }

    pub(crate) fn upload(&self) -> Option<&Arc<Upload>> {
        match self {
            Self::Whole(_) => None,
            Self::Stream(upload) => Some(upload),
        }
    }
}

/// A body that is passed on as it comes.
#[derive(Debug)]
pub(crate) struct Upload {
    /// Kept here and not with the connection, which may hold what it sends long after the call has ended.
    body: Mutex<Option<Body>>,
    touched: AtomicBool,
    error: Mutex<Option<axum::Error>>,
    began: Instant,
    /// When the last part came, in milliseconds after `began`.
    moved: AtomicU64,
    /// The instance has taken all there was, and it is the client's turn.
    waits_for_client: AtomicBool,
    /// Who sends, to be woken when the client has.
    sender: AtomicWaker,
}

impl Upload {
    fn new(body: Body) -> Self {
        Self {
            body: Mutex::new(Some(body)),
            touched: AtomicBool::new(false),
            error: Mutex::new(None),
            began: Instant::now(),
            moved: AtomicU64::new(0),
            waits_for_client: AtomicBool::new(false),
            sender: AtomicWaker::new(),
        }
    }

    fn with<T>(&self, look: impl FnOnce(Option<&Body>) -> T) -> T {
        look(self.body.lock().unwrap_or_else(PoisonError::into_inner).as_ref())
    }

    fn untouched(&self) -> bool {
        !self.touched.load(Ordering::Relaxed)
    }

    /// Nobody waits for an answer any more: the client is let go. An untouched body may go elsewhere.
    pub(crate) fn give_up(&self) {
        if !self.untouched() {
            drop(self.body.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }

    /// Why the client's body could not be read.
    pub(crate) fn error(&self) -> Option<axum::Error> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns when the instance had its time to answer: the clock does not run while the client still sends.
    pub(crate) async fn stalled(&self, limit: Duration) {
        let started = Instant::now();
        loop {
            let moved = self.began + Duration::from_millis(self.moved.load(Ordering::Relaxed));
            let since = moved.max(started);
            let due =
                since + if self.waits_for_client.load(Ordering::Relaxed) { limit.max(LONGEST_PAUSE) } else { limit };
            let now = Instant::now();
            if due <= now {
                return;
            }
            // The client's turn may end long before its limit: then the instance's time counts from there.
            tokio::time::sleep_until(due.min(now + limit)).await;
        }
    }

    /// From here on it is the instance's time that passes.
    fn moved(&self) {
        let moved = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.store(moved, Ordering::Relaxed);
        self.waits_for_client.store(false, Ordering::Relaxed);
    }
}

/// The client has sent something. Whether the instance takes it is seen only later: its buffers may be full.
impl Wake for Upload {
    fn wake(self: Arc<Self>) {
        self.moved();
        self.sender.wake();
    }
}

/// The body of one try.
#[derive(Debug)]
pub(crate) enum SentBody {
    Whole(Option<Bytes>),
    Stream(Arc<Upload>),
}

/// The client's body failed; the upload has the reason.
#[derive(Debug, thiserror::Error)]
#[error("the request's body could not be read")]
pub(crate) struct UploadFailed;

impl HttpBody for SentBody {
    type Data = Bytes;
    type Error = UploadFailed;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadFailed>>> {
        let upload = match self.get_mut() {
            Self::Whole(bytes) => return Poll::Ready(bytes.take().map(Frame::data).map(Ok)),
            Self::Stream(upload) => upload,
        };
        upload.touched.store(true, Ordering::Relaxed);
        let mut body = upload.body.lock().unwrap_or_else(PoisonError::into_inner);
        // Not the end: what was sent so far is not to be taken for the whole.
        let Some(body) = body.as_mut() else { return Poll::Ready(Some(Err(UploadFailed))) };
        upload.sender.register(cx.waker());
        upload.waits_for_client.store(true, Ordering::Relaxed);
        let waker = Waker::from(upload.clone());
        let frame = ready!(Pin::new(body).poll_frame(&mut Context::from_waker(&waker)));
        upload.moved();
        Poll::Ready(match frame {
            Some(Err(error)) => {
                *upload.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Some(Err(UploadFailed))
            }
            Some(Ok(frame)) => Some(Ok(frame)),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Stream(upload) => upload.with(|body| body.is_some_and(HttpBody::is_end_stream)),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(upload) => upload.with(|body| body.map_or_else(SizeHint::default, HttpBody::size_hint)),
        }
    }
}

/// The body of an answer: its instance has a call in flight for as long as it lasts.
#[derive(Debug)]
pub(crate) struct Counted {
    body: Incoming,
    attempt: Option<Attempt>,
}

impl Counted {
    pub(crate) fn new(body: Incoming, attempt: Attempt) -> Self {
        // What upgrades the connection has no body, and lasts for as long as this is kept.
        Self { body, attempt: Some(attempt) }
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) || this.body.is_end_stream() {
            this.attempt = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
