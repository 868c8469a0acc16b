//! Bodies pass as they come, in both directions.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::routing::{get, post};
use futures_util::{StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use crate::stub::Stub;
use crate::support::{Ask, Gateway, client, user};

const PATIENCE: Duration = Duration::from_secs(20);

/// 100 MB, in chunks.
const CHUNK: usize = 64 * 1024;
const CHUNKS: usize = 1_600;

/// What a gateway may use beyond what it uses without any load.
const FLAT_KIB: u64 = 24 * 1024;

#[tokio::test]
async fn events_pass_one_by_one() {
    let (events, receiver) = mpsc::channel::<&'static str>(1);
    let receiver = Arc::new(tokio::sync::Mutex::new(Some(receiver)));
    let router = Router::new().route(
        "/tasks/1/events",
        get(async move || {
            let receiver = receiver.lock().await.take().expect("it is asked once");
            let events = stream::unfold(receiver, async |mut receiver| {
                Some((Ok::<_, Infallible>(receiver.recv().await?), receiver))
            });
            ([("content-type", "text/event-stream")], Body::from_stream(events))
        }),
    );
    let stub = Stub::serving(router).await;
    let gateway = Gateway::of(&[("producer", &stub)], &["--call-timeout=0.5"]).await;
    let answer = gateway.get("/api/tasks/1/events").by(&user()).send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut stream = answer.bytes_stream();
    for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
        events.send(event).await.unwrap();
        let passed = timeout(PATIENCE, stream.next()).await.expect("the event passes before there is another");
        assert_eq!(passed.unwrap().unwrap(), event);
    }
    // It has no end of its own, and does not hold up the gateway's.
    timeout(PATIENCE, gateway.stop()).await.expect("the gateway stops although a stream is open");
    assert!(stream.next().await.is_none_or(|end| end.is_ok()));
}

fn large() -> Body {
    let chunk = Bytes::from(vec![b'x'; CHUNK]);
    Body::from_stream(stream::iter((0..CHUNKS).map(move |_| Ok::<_, Infallible>(chunk.clone()))))
}

async fn length(body: Body) -> usize {
    body.into_data_stream().fold(0, async |length, chunk| length + chunk.map_or(0, |chunk| chunk.len())).await
}

/// A value of `/proc/<pid>/status`, in KiB.
fn memory(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the gateway runs");
    let line = status.lines().find(|line| line.starts_with(name)).expect("Linux tells it");
    line.split_whitespace().nth(1).and_then(|value| value.parse().ok()).expect("it is a number")
}

#[tokio::test]
async fn a_hundred_megabytes_pass_both_ways_in_flat_memory() {
    let router = Router::new()
        .route("/v1/products/large", get(async || large()))
        .route("/auth/large", post(async |request: Request| length(request.into_body()).await.to_string()));
    let stub = Stub::serving(router).await;
    let port = testkit::free_port();
    let gateway = testkit::Program::cargo_bin("gateway")
        .env("LISTEN", format!("127.0.0.1:{port}"))
        .env("REDIS_URL", testkit::redis().await.url())
        .env("SERVICE_URLS", format!("{},{}", stub.named("producer"), stub.named("products")))
        .start()
        .await;
    let base = format!("http://127.0.0.1:{port}");
    gateway.wait_ready(&format!("{base}/ready")).await;
    let client = client();
    client.get(format!("{base}/api/products/none")).answer().await;
    let before = memory(gateway.pid(), "VmHWM");

    let mut download = client.get(format!("{base}/api/products/large")).send().await.unwrap().bytes_stream();
    let mut got = 0;
    while let Some(chunk) = download.next().await {
        got += chunk.unwrap().len();
    }
    assert_eq!(got, CHUNK * CHUNKS);

    let upload = client.post(format!("{base}/auth/large")).body(reqwest::Body::wrap_stream(large().into_data_stream()));
    assert_eq!(upload.answer().await.expect(200).body, (CHUNK * CHUNKS).to_string());

    let after = memory(gateway.pid(), "VmHWM");
    assert!(after - before < FLAT_KIB, "the gateway's memory has grown from {before} to {after} KiB");
    assert_eq!(gateway.sigterm().await, 0);
}

#[tokio::test]
async fn an_upload_that_is_slower_than_the_time_limit_passes() {
    let router =
        Router::new().route("/auth/slow", post(async |request: Request| length(request.into_body()).await.to_string()));
    let stub = Stub::serving(router).await;
    let gateway = Gateway::of(&[("producer", &stub)], &["--call-timeout=0.3"]).await;
    let drops = stream::iter(0..8).then(async |_| {
        // Slower than the limit in all, but never silent for so long.
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, Infallible>("drop")
    });
    let upload = gateway.ask("POST", "/auth/slow").body(reqwest::Body::wrap_stream(drops));
    assert_eq!(upload.answer().await.expect(200).body, "32");
}

#[tokio::test]
async fn who_may_not_is_told_so_before_the_body_is_sent() {
    let gateway = Gateway::start(&[]).await;
    let mut stream = TcpStream::connect(gateway.address()).await.unwrap();
    let head = "POST /api/records HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 64];
    let length = timeout(PATIENCE, stream.read(&mut answer)).await.expect("it answers without the body").unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_request_with_it() {
    struct Gone(Arc<Notify>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let (begun, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let router = Router::new().fallback({
        let (begun, gone) = (begun.clone(), gone.clone());
        async move || {
            let _gone = Gone(gone.clone());
            begun.notify_one();
            std::future::pending::<()>().await;
        }
    });
    let stub = Stub::serving(router).await;
    let gateway = Gateway::of(&[("products", &stub)], &["--call-timeout=60"]).await;
    let asking = tokio::spawn(gateway.get("/api/products").send());
    begun.notified().await;
    asking.abort();
    timeout(PATIENCE, gone.notified()).await.expect("the service need not work for nobody");
}
