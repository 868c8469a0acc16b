//! Deadlines, limits, panics and ids.

use std::time::{Duration, Instant};

use proto::v1::GetOwnerRequest;
use proto::v1::owner_service_client::OwnerServiceClient;
use service::http::HttpLimits;
use tonic::Code;
use uuid::Uuid;

use super::Grpc;
use crate::server::{limits, no_dependencies};

#[tokio::test]
async fn a_call_is_answered() {
    let grpc = Grpc::start().await;
    let mut client = OwnerServiceClient::new(grpc.channel());
    let owner = client.get_owner(GetOwnerRequest { owner_id: "7".to_owned() }).await.expect("an owner");
    assert_eq!(owner.into_inner().owner_id, "7");
    let nobody = client.get_owner(GetOwnerRequest { owner_id: "nobody".to_owned() }).await.unwrap_err();
    assert_eq!((nobody.code(), nobody.message()), (Code::NotFound, "there is nobody"));
    grpc.stop().await.expect("nothing is in flight");
}

#[tokio::test]
async fn a_deadline_is_kept_and_the_handler_is_finished_all_the_same() {
    let grpc = Grpc::start().await;
    let began = Instant::now();
    let late = grpc.ask("gate", &[("grpc-timeout", "200m")]).await;
    assert_eq!(late.code, Some(Code::DeadlineExceeded));
    assert!(began.elapsed() < Duration::from_secs(5), "it took {:?}", began.elapsed());

    grpc.stub.open();
    grpc.stub.passed().await;
}

#[tokio::test]
async fn nobody_waits_longer_than_the_longest_call() {
    let grpc = Grpc::start().await;
    let (unlimited, far) = tokio::join!(grpc.ask("gate", &[]), grpc.ask("gate", &[("grpc-timeout", "1H")]));
    assert_eq!((unlimited.code, far.code), (Some(Code::DeadlineExceeded), Some(Code::DeadlineExceeded)));
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_stop_the_handler() {
    let grpc = Grpc::start().await;
    let mut client = OwnerServiceClient::new(grpc.channel());
    let call = tokio::spawn(async move { client.get_owner(GetOwnerRequest { owner_id: "gate".to_owned() }).await });
    grpc.stub.arrived().await;
    call.abort();
    assert!(call.await.expect_err("it was aborted").is_cancelled());
    grpc.stub.open();
    grpc.stub.passed().await;
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_ends_nothing_else() {
    let grpc = Grpc::start().await;
    assert_eq!(grpc.ask("panic", &[]).await.code, Some(Code::Internal));
    assert_eq!(grpc.ask("7", &[]).await.code, Some(Code::Ok));
}

#[tokio::test]
async fn what_is_too_large_unknown_or_no_grpc_is_refused() {
    let grpc = Grpc::start().await;
    let large = "x".repeat(service::grpc::MAX_MESSAGE + 1);
    assert_eq!(grpc.ask(&large, &[]).await.code, Some(Code::ResourceExhausted));
    // With the field's own bytes.
    assert_eq!(grpc.ask(&large[10..], &[]).await.code, Some(Code::Ok));

    let kind = [("content-type", "application/grpc")];
    for path in ["/warren.v1.OwnerService/Delete", "/warren.v1.Nobody/GetOwner", "/"] {
        assert_eq!(grpc.send(path, &kind, "").await.code, Some(Code::Unimplemented), "{path}");
    }
    for headers in [&[][..], &[("content-type", "application/json")]] {
        let refused = grpc.send("/warren.v1.OwnerService/GetOwner", headers, "{}").await;
        assert_eq!((refused.status.as_u16(), refused.code), (415, None));
    }
    // Half a message is none.
    let half = grpc.send("/warren.v1.OwnerService/GetOwner", &kind, vec![0, 0, 0, 0, 9, 1]).await;
    assert!(half.code.is_some_and(|code| code != Code::Ok), "{half:?}");
}

#[tokio::test]
async fn a_harmless_request_id_is_kept_and_another_is_made() {
    let grpc = Grpc::start().await;
    let answered = grpc.ask("7", &[("x-request-id", "job-7")]).await;
    assert_eq!(answered.headers["x-request-id"], "job-7");
    let answered = grpc.ask("nobody", &[("x-request-id", "a b")]).await;
    let id: Uuid = answered.headers["x-request-id"].to_str().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
}

#[tokio::test]
async fn a_stop_waits_for_calls_in_flight() {
    let grpc = Grpc::start().await;
    let (stub, mut client) = (grpc.stub.clone(), OwnerServiceClient::new(grpc.channel()));
    let call = tokio::spawn(async move { client.get_owner(GetOwnerRequest { owner_id: "gate".to_owned() }).await });
    stub.arrived().await;
    grpc.stop.cancel();
    stub.open();
    call.await.expect("no panic").expect("it is answered");
    grpc.stop().await.expect("in time");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let impatient = HttpLimits { stop_timeout: Duration::from_millis(300), ..limits() };
    let grpc = Grpc::start_with(no_dependencies(), impatient).await;
    let (stub, mut client) = (grpc.stub.clone(), OwnerServiceClient::new(grpc.channel()));
    let call = tokio::spawn(async move { client.get_owner(GetOwnerRequest { owner_id: "gate".to_owned() }).await });
    stub.arrived().await;
    let error = grpc.stop().await.unwrap_err().to_string();
    assert!(error.contains("STOP_TIMEOUT"), "{error}");
    call.await.expect("no panic").expect_err("it was cut off");
}
