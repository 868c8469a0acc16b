//! Ids, traces, streams and documents of ordinary requests.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use futures_util::{StreamExt, stream};
use opentelemetry::trace::TraceContextExt;
use service::http::RequestIds;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use crate::server::{Server, settings};

async fn ids(ids: RequestIds) -> String {
    format!("{} {}", ids.request_id(), ids.correlation_id())
}

async fn trace_id() -> String {
    tracing::Span::current().context().span().span_context().trace_id().to_string()
}

/// Lasts longer than a handler may take until it begins to answer.
async fn streams() -> Body {
    let parts = stream::unfold(0, |part| async move {
        tokio::time::sleep(settings().handler_timeout / 4).await;
        (part < 6).then(|| (Ok::<_, std::io::Error>(format!("{part}\n")), part + 1))
    });
    Body::from_stream(parts)
}

fn router() -> Router {
    Router::new().route("/ids", get(ids)).route("/trace", get(trace_id)).route("/streams/{name}", get(streams))
}

#[tokio::test]
async fn ids_are_echoed_and_known_to_the_handler() {
    let server = Server::start(router()).await;
    let request = server.client.get(server.url("/ids")).header("x-request-id", "r-1").header("x-correlation-id", "c-1");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "r-1");
    assert_eq!(response.headers()["x-correlation-id"], "c-1");
    assert_eq!(response.text().await.unwrap(), "r-1 c-1");

    let made = server.client.get(server.url("/ids")).header("x-request-id", "<script>").send().await.unwrap();
    let id = made.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(id.parse::<Uuid>().unwrap().get_version_num(), 7);
    assert_eq!(made.text().await.unwrap(), format!("{id} {id}"));
}

#[tokio::test]
async fn a_request_is_part_of_its_clients_trace_or_begins_one() {
    let server = Server::start(router()).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for flags in ["00", "01"] {
        let parent = format!("00-{trace}-00f067aa0ba902b7-{flags}");
        let request = server.client.get(server.url("/trace")).header("traceparent", parent);
        assert_eq!(request.send().await.unwrap().text().await.unwrap(), trace);
    }
    let own = server.get("/trace").await.text().await.unwrap();
    assert!(own != trace && own != "0".repeat(32), "{own}");
}

#[tokio::test]
async fn a_stream_may_last_longer_than_a_handler() {
    let server = Server::start(router()).await;
    let response = server.get("/streams/numbers").await;
    let text = tokio::time::timeout(Duration::from_secs(30), response.text()).await.unwrap().unwrap();
    assert_eq!(text.lines().count(), 6);
}

#[tokio::test]
async fn a_stream_can_be_read_as_it_grows() {
    let server = Server::start(router()).await;
    let mut parts = server.get("/streams/numbers").await.bytes_stream();
    assert_eq!(parts.next().await.unwrap().unwrap(), "0\n");
}

#[tokio::test]
async fn requests_are_counted_by_route_and_not_by_path() {
    let server = Server::start(router()).await;
    server.get("/streams/one?x=y").await;
    server.get("/not-a-route-at-all").await;
    let metrics = server.get("/metrics").await.text().await.unwrap();
    for line in [
        "http_requests_total{method=\"GET\",route=\"/streams/{name}\",status=\"200\"}",
        "http_requests_total{method=\"GET\",route=\"unmatched\",status=\"404\"}",
        "http_request_seconds_bucket{method=\"GET\",route=\"/streams/{name}\",le=\"0.5\"}",
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    assert!(!metrics.contains("not-a-route-at-all"));
}

#[tokio::test]
async fn the_api_is_documented_without_the_network() {
    let server = Server::start(router()).await;
    let document: serde_json::Value = server.get("/api-docs/openapi.json").await.json().await.unwrap();
    assert!(document["paths"]["/health"]["get"].is_object(), "{document}");
    let page = server.get("/api-docs").await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("swagger-ui"));
}
