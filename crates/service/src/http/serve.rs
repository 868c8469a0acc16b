//! Accepting connections within bounds, until the program stops.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, Open, Server};

/// How much one server takes on, and how long it waits for its clients.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Connections served at the same time; more of them wait to be accepted.
    pub max_connections: usize,
    /// How long a connection may be silent or take to send the head of a request.
    pub idle_timeout: Duration,
    /// How long a client may leave what was sent to it unread.
    pub read_timeout: Duration,
    /// How long requests in flight are given to finish when the program stops.
    pub stop_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            idle_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(60),
            stop_timeout: Duration::from_secs(20),
        }
    }
}

/// The longest URL that hyper parses, 64 KiB, and headers.
const MAX_HEAD: usize = 80 * 1024;

/// Serves a router until `stop` is cancelled; then takes no new connection and finishes what is in flight, in time.
///
/// # Errors
/// If `stop_timeout` was not long enough and requests were cut off.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
    limits: HttpLimits,
) -> anyhow::Result<()> {
    let builder = Arc::new(protocol(&limits));
    let server = Server { stop: stop.clone(), background: TaskTracker::new(), upgraded: TaskTracker::new() };
    let slots = Arc::new(Semaphore::new(limits.max_connections.min(Semaphore::MAX_PERMITS)));
    let gauge = metrics::gauge!("http_connections");
    let mut connections = JoinSet::new();

    let accepting = async {
        loop {
            let slot = slots.clone().acquire_owned().await.expect("the semaphore is never closed");
            let (stream, peer) = accept(&listener).await;
            // A response is written as a whole: waiting for more to send would only delay it.
            let _ = stream.set_nodelay(true);
            give_up_after(&stream, limits.read_timeout);
            let open = Open::new(gauge.clone(), slot);
            connections.spawn(connection::run(
                stream,
                peer,
                builder.clone(),
                router.clone(),
                server.clone(),
                open,
                limits.idle_timeout,
            ));
            while connections.try_join_next().is_some() {}
        }
    };
    stop.run_until_cancelled(accepting).await;
    drop(listener);

    let finishing = async {
        while connections.join_next().await.is_some() {}
        for tracker in [&server.background, &server.upgraded] {
            tracker.close();
            tracker.wait().await;
        }
    };
    let in_time = tokio::time::timeout(limits.stop_timeout, finishing).await.is_ok();
    anyhow::ensure!(
        in_time,
        "{} connections and {} handlers did not end within STOP_TIMEOUT and were cut off",
        connections.len(),
        server.background.len(),
    );
    tracing::info!("all requests are finished");
    Ok(())
}

/// Ends the connection when nothing that was sent could be delivered for so long. hyper has no such limit, and a client that
/// reads nothing of an endless answer would keep its connection for good.
fn give_up_after(stream: &TcpStream, limit: Duration) {
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(limit)) {
        tracing::debug!(%error, "a client that reads nothing is not cut off");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, limit);
}

/// Both versions of HTTP, with bounds on what one client can make the server hold.
fn protocol(limits: &HttpLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.idle_timeout).max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .max_concurrent_streams(128)
        .max_header_list_size(16 * 1024)
        // Rapid reset: streams that are opened and reset at once soon end the connection.
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(128);
    builder
}

async fn accept(listener: &TcpListener) -> (TcpStream, std::net::SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The client left while it waited to be accepted.
            Err(error) if is_clients(error.kind()) => {}
            Err(error) => {
                // Out of file descriptors or memory: accepting again at once would only burn time.
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_clients(error: ErrorKind) -> bool {
    matches!(error, ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused)
}
