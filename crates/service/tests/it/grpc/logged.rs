//! The log line and the metrics of a call.

use metrics_exporter_prometheus::PrometheusBuilder;
use service::telemetry::LogFormat;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::Grpc;
use crate::logged::Log;

#[tokio::test]
async fn each_call_has_one_line_with_its_code_and_who_called() {
    let (log, _logging) = Log::begin(LogFormat::Text);
    let grpc = Grpc::start().await;
    grpc.ask("7", &[("x-service-name", "products"), ("x-request-id", "job-7"), ("x-correlation-id", "batch-1")]).await;
    grpc.ask("nobody", &[("x-service-name", "a b")]).await;
    grpc.ask("panic", &[]).await;
    HealthClient::new(grpc.channel()).check(HealthCheckRequest::default()).await.expect("health is served");

    let lines = log.answered();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for said in ["code=OK", "method=warren.v1.OwnerService/GetOwner", "caller=products", "job-7", "batch-1", "INFO"] {
        assert!(lines[0].contains(said), "`{said}` is not in {}", lines[0]);
    }
    assert!(lines[1].contains("code=NOT_FOUND") && !lines[1].contains("caller"), "{}", lines[1]);
    assert!(lines[2].contains("code=INTERNAL") && lines[2].contains("WARN"), "{}", lines[2]);
}

#[tokio::test]
async fn calls_are_counted_and_an_invented_method_has_no_series_of_its_own() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let grpc = Grpc::start().await;
    grpc.ask("7", &[]).await;
    grpc.ask("7", &[]).await;
    grpc.ask("nobody", &[]).await;
    grpc.send("/invented/1", &[("content-type", "application/grpc")], "").await;

    let text = recorder.handle().render();
    let method = r#"method="warren.v1.OwnerService/GetOwner""#;
    for series in [
        format!(r#"grpc_requests_total{{{method},code="OK"}} 2"#),
        format!(r#"grpc_requests_total{{{method},code="NOT_FOUND"}} 1"#),
        r#"grpc_requests_total{method="unmatched",code="UNIMPLEMENTED"} 1"#.to_owned(),
        format!("grpc_request_seconds_count{{{method}}} 3"),
    ] {
        assert!(text.contains(&series), "there is no {series} in {text}");
    }
    assert!(!text.contains("invented"), "{text}");
}
