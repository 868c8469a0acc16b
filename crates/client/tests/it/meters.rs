//! What is counted of calls.

use client::CallError;
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::backend::Backend;
use crate::support::Caller;

#[tokio::test]
async fn calls_repetitions_and_breakers_are_counted() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let (a, b) = tokio::join!(Backend::start("a"), Backend::start("b"));
    let caller = Caller::of(&[&a, &b], &["--breaker-failures", "1", "--call-tries", "2"]);
    caller.who().await;
    let address = a.address();
    let count = |series: &str| {
        let text = recorder.handle().render();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse::<u32>().ok());
        value.unwrap_or_else(|| panic!("there is no {series} in {text}"))
    };
    assert_eq!(count(r#"client_calls_total{service="shop",outcome="answered"}"#), 1);
    assert_eq!(count(r#"client_retries_total{service="shop"}"#), 0);
    let breaker = format!(r#"client_breaker_state{{service="shop",instance="{address}"}}"#);
    assert_eq!(count(&breaker), 0);

    a.kill().await;
    b.kill().await;
    assert!(matches!(caller.get("/").await, Err(CallError::Unreachable { .. } | CallError::Broken { .. })));
    assert!(matches!(caller.get("/").await, Err(CallError::AllOpen { .. })));
    assert_eq!(count(r#"client_retries_total{service="shop"}"#), 1);
    assert_eq!(count(r#"client_calls_total{service="shop",outcome="open"}"#), 1);
    assert_eq!(count(r#"client_call_seconds_count{service="shop"}"#), 3);
    assert_eq!(count(&breaker), 2);
}
