//! One connection: its requests, its idle limit, and its end when the program stops.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::request;
use axum::response::Response;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use super::strict::Strict;

/// What each request carries of the connection and the server it came by.
#[derive(Clone, Debug)]
pub(crate) struct Served(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    server: Server,
    open: Weak<Open>,
    /// Set when the connection goes on in another protocol.
    upgraded: Arc<AtomicBool>,
}

/// What all connections of a server share.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) stop: CancellationToken,
    /// Handlers that nobody waits for any more.
    pub(super) background: TaskTracker,
    /// Connections that go on in another protocol.
    pub(super) upgraded: TaskTracker,
}

/// An open connection: one of those that a server has room for.
#[derive(Debug)]
pub(super) struct Open {
    gauge: metrics::Gauge,
    _slot: OwnedSemaphorePermit,
}

impl Open {
    pub(super) fn new(gauge: metrics::Gauge, slot: OwnedSemaphorePermit) -> Arc<Self> {
        gauge.increment(1);
        Arc::new(Self { gauge, _slot: slot })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.gauge.decrement(1);
    }
}

impl Served {
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.0.server.stop
    }

    pub(crate) fn background(&self) -> &TaskTracker {
        &self.0.server.background
    }

    /// Those of the server. This connection is to be one of them.
    pub(super) fn upgraded(&self) -> &TaskTracker {
        self.0.upgraded.store(true, Ordering::Release);
        &self.0.server.upgraded
    }

    pub(super) fn open(&self) -> Option<Arc<Open>> {
        self.0.open.upgrade()
    }
}

/// Cancelled when the program is told to stop; for handlers that stream without an end of their own.
#[derive(Clone, Debug)]
pub struct Stopping(pub CancellationToken);

impl<S: Sync> FromRequestParts<S> for Stopping {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut request::Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Served>().map_or_else(CancellationToken::new, |served| served.stop().clone())))
    }
}

/// Serves a connection until the client ends it, it is idle for too long, or the program stops.
pub(super) async fn run(
    stream: TcpStream,
    peer: SocketAddr,
    builder: Arc<Builder<TokioExecutor>>,
    router: Router,
    server: Server,
    open: Arc<Open>,
    idle_limit: Duration,
) {
    let activity = Activity::default();
    let stop = server.stop.clone();
    let upgraded = Arc::new(AtomicBool::new(false));
    let stream = Strict::new(stream, upgraded.clone());
    let served = Served(Arc::new(Parts { server, open: Arc::downgrade(&open), upgraded }));
    let service = service_fn({
        let activity = activity.clone();
        move |request: hyper::Request<Incoming>| {
            let in_flight = activity.begin();
            let mut request: Request = request.map(Body::new);
            request.extensions_mut().insert(served.clone());
            request.extensions_mut().insert(ConnectInfo(peer));
            let response = router.clone().call(request);
            async move {
                let response: Response = response.await?;
                Ok::<_, Infallible>(response.map(|body| Tracked { body, _in_flight: in_flight }))
            }
        }
    });
    let mut connection = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let mut idle = pin!(tokio::time::sleep(idle_limit));
    let mut stopped = pin!(stop.cancelled());
    let (mut stopping, mut ending) = (false, false);
    loop {
        tokio::select! {
            biased;
            result = connection.as_mut() => {
                if let Err(error) = result {
                    tracing::trace!(%peer, error, "a connection ended with an error");
                }
                return;
            }
            () = stopped.as_mut(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            () = idle.as_mut() => {
                if activity.was_idle() {
                    if ending {
                        return;
                    }
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                idle.as_mut().reset(tokio::time::Instant::now() + idle_limit);
            }
        }
    }
}

/// Tells whether anything was asked on a connection since that was last looked at.
///
/// hyper limits the time that HTTP/1 heads take, idle time included, but not the wait for a connection's first bytes,
/// nor an HTTP/2 connection on which nothing is asked.
#[derive(Clone, Default)]
struct Activity(Arc<Counts>);

#[derive(Default)]
struct Counts {
    in_flight: AtomicUsize,
    begun: AtomicUsize,
}

impl Activity {
    fn begin(&self) -> InFlight {
        self.0.in_flight.fetch_add(1, Ordering::Relaxed);
        self.0.begun.fetch_add(1, Ordering::Relaxed);
        InFlight(self.0.clone())
    }

    fn was_idle(&self) -> bool {
        self.0.begun.swap(0, Ordering::Relaxed) == 0 && self.0.in_flight.load(Ordering::Relaxed) == 0
    }
}

struct InFlight(Arc<Counts>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A response body during which its request counts as in flight.
struct Tracked {
    body: Body,
    _in_flight: InFlight,
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
