//! A whole program: what it serves, what goes on beside, and its end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use messaging::{Broker, Settings, Topology};
use service::http::HttpLimits;
use service::{Background, Serving};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::server::limits;

/// One that is away, as programs do without it.
fn broker() -> Broker {
    let url = format!("amqp://guest:guest@127.0.0.1:{}/%2f", testkit::free_port());
    Broker::open(Settings::new(url, "test", Topology::default())).expect("the URL is one")
}

async fn serving(stop: &CancellationToken) -> Serving {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let router = Router::new().route("/", get(async || "here"));
    let limits = HttpLimits { stop_timeout: Duration::from_secs(20), ..limits() };
    Serving::http(listener, router, limits, stop.clone()).expect("it listens")
}

#[tokio::test]
async fn serving_ends_before_what_goes_on_beside_it() {
    let (stop, ended) = (CancellationToken::new(), Arc::new(Mutex::new(Vec::new())));
    let (also, beside) = (ended.clone(), ended.clone());
    let mut background = Background::default();
    background.spawn(|stop| async move {
        stop.cancelled().await;
        beside.lock().unwrap().push("beside");
    });
    let told = stop.clone();
    let serving = serving(&stop).await.also(async move {
        told.cancelled().await;
        tokio::task::yield_now().await;
        also.lock().unwrap().push("also");
        Ok(())
    });
    let running = serving.start(background, broker(), stop);
    let answer = reqwest::get(format!("http://{}/", running.address())).await.unwrap().text().await.unwrap();
    assert_eq!((answer.as_str(), running.grpc_address()), ("here", None));
    running.stop().await.unwrap();
    assert_eq!(*ended.lock().unwrap(), ["also", "beside"]);
}

#[tokio::test]
async fn a_part_that_does_not_end_in_order_is_told_at_the_end_of_the_program() {
    let stop = CancellationToken::new();
    let serving = serving(&stop).await.also(async { anyhow::bail!("the batch was not finished") });
    let running = serving.start(Background::default(), broker(), stop);
    assert_eq!(running.stop().await.unwrap_err().to_string(), "the batch was not finished");
}
