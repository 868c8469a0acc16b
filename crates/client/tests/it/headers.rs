//! What instances are told about a call.

use std::collections::BTreeMap;

use client::{Call, CallBody};
use http::Method;
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::Instrument;
use tracing::instrument::WithSubscriber;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::layer::SubscriberExt;
use uuid::Uuid;

use crate::backend::Backend;
use crate::support::{Caller, request, text};

async fn told(caller: &Caller, headers: &[(&'static str, &'static str)]) -> BTreeMap<String, String> {
    let mut request = request(Method::GET, "/headers", CallBody::empty());
    for (name, value) in headers {
        request.headers_mut().insert(*name, http::HeaderValue::from_static(value));
    }
    let answer = caller.services.send("shop", Call::new(request)).await.expect("it answers");
    serde_json::from_str(&text(answer).await).expect("it is JSON")
}

#[tokio::test]
async fn each_call_says_who_calls_and_has_an_id() {
    let a = Backend::start("a").await;
    let caller = Caller::of(&[&a], &[]);
    let headers = told(&caller, &[("host", "elsewhere.example"), ("x-service-name", "somebody")]).await;
    assert_eq!(headers["x-service-name"], "caller");
    assert_eq!(headers["host"], a.address().to_string());
    let id: Uuid = headers["x-request-id"].parse().expect("it is a UUID");
    assert_eq!(id.get_version_num(), 7);
    assert_eq!(headers["x-correlation-id"], headers["x-request-id"]);
}

#[tokio::test]
async fn ids_that_are_there_stay() {
    let a = Backend::start("a").await;
    let caller = Caller::of(&[&a], &[]);
    let given = [("x-request-id", "r-1"), ("x-correlation-id", "c-1"), ("x-other", "stays")];
    let headers = told(&caller, &given).await;
    assert!(given.iter().all(|(name, value)| headers[*name] == *value), "{headers:?}");
    let headers = told(&caller, &given[..1]).await;
    assert_eq!(headers["x-correlation-id"], "r-1");
}

#[tokio::test]
async fn a_call_is_a_part_of_the_trace_of_what_it_is_made_for() {
    let a = Backend::start("a").await;
    let caller = Caller::of(&[&a], &[]);
    let given = [("traceparent", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")];
    assert_eq!(told(&caller, &given).await["traceparent"], given[0].1, "there is no trace here, so it is passed on");

    let provider = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let in_a_span = async {
        let span = tracing::info_span!("work");
        let context = span.context();
        let headers = told(&caller, &given).instrument(span).await;
        (headers["traceparent"].clone(), context.span().span_context().clone())
    };
    let (told, span) = in_a_span.with_subscriber(tracing_subscriber::registry().with(layer)).await;
    assert!(span.is_valid());
    assert_eq!(told, format!("00-{}-{}-00", span.trace_id(), span.span_id()));
}
