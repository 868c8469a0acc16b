//! The end of a server, and of requests nobody waits for.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::{StreamExt, stream};
use service::http::{HttpLimits, HttpSettings, Stopping};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};

use crate::server::{Server, limits, no_dependencies, settings};

/// A handler that waits to be released, and tells when it was begun and ended.
#[derive(Clone, Default)]
struct Slow {
    begun: Arc<Notify>,
    release: Arc<Notify>,
    ended: Arc<Notify>,
}

impl Slow {
    fn router(&self) -> Router {
        let slow = self.clone();
        Router::new().route(
            "/slow",
            get(async move || {
                slow.begun.notify_one();
                slow.release.notified().await;
                slow.ended.notify_one();
                "done"
            }),
        )
    }
}

async fn refused(server: &Server) {
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_in_flight_is_finished_and_nothing_new_is_taken() {
    let slow = Slow::default();
    let server = Server::start(slow.router()).await;
    let idle = server.connect().await;
    let request = tokio::spawn(server.client.get(server.url("/slow")).send());
    slow.begun.notified().await;

    server.stop.cancel();
    refused(&server).await;
    assert!(!server.serving.is_finished());

    slow.release.notify_one();
    let response = request.await.unwrap().unwrap();
    assert_eq!(response.text().await.unwrap(), "done");
    server.serving.await.unwrap().unwrap();
    drop(idle);
}

#[tokio::test]
async fn a_stop_is_over_in_time_and_says_what_it_cut_off() {
    let slow = Slow::default();
    let limits = HttpLimits { stop_timeout: Duration::from_millis(100), ..limits() };
    let server = Server::start_with(slow.router(), no_dependencies(), limits).await;
    let request = tokio::spawn(server.client.get(server.url("/slow")).send());
    slow.begun.notified().await;
    server.stop.cancel();
    let error = server.serving.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("STOP_TIMEOUT"), "{error}");
    assert!(request.await.unwrap().is_err());
}

#[tokio::test]
async fn a_stream_without_end_can_end_with_the_server() {
    let forever = async |Stopping(stop): Stopping| {
        let beats = stream::repeat("beat\n").then(async |beat| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok::<_, std::io::Error>(beat)
        });
        Body::from_stream(beats.take_until(stop.cancelled_owned()))
    };
    let server = Server::start(Router::new().route("/beats", get(forever))).await;
    let mut beats = server.get("/beats").await.bytes_stream();
    assert!(beats.next().await.is_some());
    server.stop.cancel();
    while beats.next().await.is_some() {}
    server.serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_handler_ends_also_when_its_client_has_left() {
    let slow = Slow::default();
    let server = Server::start(slow.router()).await;
    let request = tokio::spawn(server.client.get(server.url("/slow")).send());
    slow.begun.notified().await;
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());

    server.stop.cancel();
    slow.release.notify_one();
    slow.ended.notified().await;
    server.serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_handler_that_only_passes_on_is_dropped_when_its_client_has_left() {
    let running = Arc::new(Notify::new());
    let watched = Arc::downgrade(&running);
    let hangs = async |Extension(running): Extension<Arc<Notify>>| {
        running.notify_one();
        std::future::pending::<()>().await;
        drop(running);
    };
    let router = Router::new().route("/hangs", get(hangs)).layer(Extension(running.clone()));
    let settings = HttpSettings { finish_abandoned: false, handler_timeout: Duration::from_secs(60), ..settings() };
    let server = Server::start_set(router, no_dependencies(), limits(), settings).await;
    let idle = watched.strong_count();
    let request = tokio::spawn(server.client.get(server.url("/hangs")).send());
    running.notified().await;
    assert!(watched.strong_count() > idle);
    request.abort();
    testkit::eventually("the handler is dropped", async || (watched.strong_count() == idle).then_some(())).await;
}

#[tokio::test]
async fn connections_past_the_limit_wait_for_their_turn() {
    let limits = HttpLimits { max_connections: 1, idle_timeout: Duration::from_secs(60), ..limits() };
    let open = Arc::new(Semaphore::new(0));
    let handler = {
        let open = open.clone();
        async move || {
            open.acquire().await.expect("the semaphore is never closed").forget();
            "served"
        }
    };
    let server = Server::start_with(Router::new().route("/turn", get(handler)), no_dependencies(), limits).await;
    let first = tokio::spawn(crate::server::talk(
        server.connect().await,
        b"GET /turn HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    ));
    let second = tokio::spawn(crate::server::talk(
        server.connect().await,
        b"GET /turn HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    ));
    open.add_permits(1);
    assert!(first.await.unwrap().contains("served"));
    assert!(!second.is_finished());
    open.add_permits(1);
    assert!(second.await.unwrap().contains("served"));
}
