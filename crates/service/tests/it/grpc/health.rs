//! Health and reflection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream;
use tokio::time::timeout;
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::Grpc;
use crate::server::{limits, no_dependencies};

fn about(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tokio::test]
async fn each_service_is_as_ready_as_the_program() {
    let ready = Arc::new(AtomicBool::new(true));
    let health = no_dependencies().ready_when("the test", {
        let ready = ready.clone();
        move || if ready.load(Ordering::SeqCst) { Ok(()) } else { Err("not now".to_owned()) }
    });
    let grpc = Grpc::start_with(health, limits()).await;
    let mut client = HealthClient::new(grpc.channel());
    for service in ["", "warren.v1.OwnerService"] {
        let status = client.check(about(service)).await.expect("it is served").into_inner().status();
        assert_eq!(status, ServingStatus::Serving, "`{service}`");
    }
    // A service of another program.
    let unknown = client.check(about("warren.v1.OrderService")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);

    let mut watched = client.watch(about("")).await.expect("it can be watched").into_inner();
    let mut next = async || timeout(Duration::from_secs(10), watched.message()).await.expect("news in time");
    assert_eq!(next().await.unwrap().unwrap().status(), ServingStatus::Serving);
    ready.store(false, Ordering::SeqCst);
    assert_eq!(next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert_eq!(client.check(about("")).await.unwrap().into_inner().status(), ServingStatus::NotServing);

    // Who watches does not hold up the stop.
    let (stopped, last) = tokio::join!(grpc.stop(), next());
    stopped.expect("it stops in time");
    assert_eq!(last.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn reflection_tells_of_what_is_served_here() {
    let grpc = Grpc::start().await;
    let ask = |message| ServerReflectionRequest { host: String::new(), message_request: Some(message) };
    let questions = stream::iter([
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol("warren.v1.OwnerService".to_owned())),
        ask(MessageRequest::FileContainingSymbol("grpc.health.v1.Health".to_owned())),
    ]);
    let mut client = ServerReflectionClient::new(grpc.channel());
    let mut answers = client.server_reflection_info(questions).await.expect("it is served").into_inner();
    let mut next = async || {
        let answer = timeout(Duration::from_secs(10), answers.message()).await.expect("an answer in time");
        answer.expect("no error").expect("one for each question").message_response
    };
    let Some(MessageResponse::ListServicesResponse(list)) = next().await else { panic!("a list was asked for") };
    let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    names.sort();
    assert_eq!(names, ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "warren.v1.OwnerService"]);
    for _ in 0..2 {
        assert!(matches!(next().await, Some(MessageResponse::FileDescriptorResponse(_))));
    }
}
