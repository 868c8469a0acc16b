//! Several instances of a service, and one of them gone.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use futures_util::{StreamExt, stream};
use serde_json::Value;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::stub::Stub;
use crate::support::{Ask, Gateway};

#[tokio::test]
async fn an_instance_killed_under_load_is_not_noticed() {
    let (one, other) = (Stub::echo("one").await, Stub::echo("other").await);
    let gateway = Gateway::of(&[("products", &one), ("products", &other)], &[]).await;
    let (mut one, answered) = (Some(one), AtomicUsize::new(0));
    let load = stream::iter(0..600).map(async |_| {
        let answer = gateway.get("/api/products").answer().await;
        answered.fetch_add(1, Ordering::Relaxed);
        (answer.status.as_u16(), answer.body.contains("\"other\""))
    });
    let mut load = load.buffer_unordered(20);
    let mut services = BTreeSet::new();
    while let Some((status, is_other)) = load.next().await {
        assert_eq!(status, 200);
        services.insert(is_other);
        if answered.load(Ordering::Relaxed) > 200 {
            one = None;
        }
    }
    assert!(one.is_none());
    assert_eq!(services.len(), 2, "both have answered");
}

/// How a service behaves to those who connect.
const HANGS_UP: u8 = 0;
const IS_SILENT: u8 = 1;
const IS_WELL: u8 = 2;

async fn moody() -> (Arc<AtomicU8>, SocketAddr) {
    let mood = Arc::new(AtomicU8::new(HANGS_UP));
    let healthy = Stub::serving(Router::new().fallback(async || StatusCode::NO_CONTENT)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port can be listened on");
    let address = listener.local_addr().expect("a listener has an address");
    tokio::spawn({
        let mood = mood.clone();
        async move {
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                match mood.load(Ordering::Relaxed) {
                    HANGS_UP => {}
                    IS_SILENT => silent.push(stream),
                    _ => {
                        let mut service = TcpStream::connect(healthy.address()).await.expect("the stub listens");
                        tokio::spawn(async move { copy_bidirectional(&mut stream, &mut service).await });
                    }
                }
            }
        }
    });
    (mood, address)
}

/// The state of the breaker of the producer's only instance, as `/status` tells it.
async fn breaker(gateway: &Gateway) -> Value {
    let status = gateway.get("/status").answer().await.expect(200).json();
    let instances = status["details"]["instances"].as_array().expect("it tells of the instances").clone();
    let [producer] = instances.as_slice() else { panic!("not one instance: {instances:?}") };
    assert_eq!(producer["service"], "producer");
    producer["breaker"].clone()
}

#[tokio::test]
async fn a_breaker_is_seen_to_open_to_try_once_and_to_close() {
    let (mood, address) = moody().await;
    let urls = format!("--service-urls=producer=http://{address}");
    let arguments = ["--breaker-failures=3", "--breaker-open=0.5", "--call-tries=1", "--call-timeout=2"];
    let gateway = Arc::new(Gateway::start(&[&[urls.as_str()], &arguments[..]].concat()).await);
    let call = async |gateway: Arc<Gateway>| gateway.ask("POST", "/auth/login").answer().await;
    for _ in 0..3 {
        call(gateway.clone()).await.refused(502);
    }
    assert_eq!(breaker(&gateway).await, "open");
    let refused = call(gateway.clone()).await;
    assert_ne!(refused.header("retry-after"), "");
    refused.refused(503);

    // One call tries, and is kept waiting; the others are refused meanwhile.
    mood.store(IS_SILENT, Ordering::Relaxed);
    let trying = testkit::eventually("a call is tried", async || {
        let trying = tokio::spawn(call(gateway.clone()));
        while !trying.is_finished() {
            if breaker(&gateway).await == "half_open" {
                return Some(trying);
            }
        }
        None
    });
    let trying = trying.await;
    for _ in 0..5 {
        call(gateway.clone()).await.refused(503);
    }
    trying.await.expect("it does not panic").refused(504);
    assert_eq!(breaker(&gateway).await, "open");

    mood.store(IS_WELL, Ordering::Relaxed);
    testkit::eventually("the service is called again", async || {
        (call(gateway.clone()).await.status == 204).then_some(())
    })
    .await;
    assert_eq!(breaker(&gateway).await, "closed");
}
