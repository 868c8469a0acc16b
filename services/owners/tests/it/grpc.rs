//! Owners by gRPC, as other services ask for them.

use std::time::Duration;

use clap::Parser;
use client::grpc::{Channel, GrpcCallArgs, GrpcServices};
use client::{CallArgs, RegistryArgs};
use contracts::owners::OwnerState;
use proto::v1::GetOwnerRequest;
use proto::v1::owner_service_client::OwnerServiceClient;
use serde_json::Value;
use testkit::eventually;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;
use tonic::{Code, Request};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use uuid::Uuid;

use crate::support::{Ask, Owners, World, id, user};

#[derive(Parser)]
pub(crate) struct Settings {
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    #[command(flatten)]
    pub(crate) calls: CallArgs,
    #[command(flatten)]
    pub(crate) grpc: GrpcCallArgs,
}

fn channel(replicas: &[&Owners]) -> Channel {
    let urls: Vec<_> = replicas.iter().map(|owners| format!("owners=http://{}", owners.grpc_address())).collect();
    let Settings { registry, calls, grpc } = Settings::parse_from(["test", "--grpc-urls", &urls.join(",")]);
    let services = GrpcServices::start(&registry, &calls, &grpc, "test", &CancellationToken::new());
    services.expect("the settings are right").channel("owners").idempotent()
}

fn asked(owner: &Value) -> GetOwnerRequest {
    GetOwnerRequest { owner_id: id(owner).to_owned() }
}

#[tokio::test]
async fn an_owner_is_the_same_by_grpc_as_by_http() {
    let world = World::new().await;
    let owners = world.owners().await;
    let owner = owners.created(&user()).await;
    let mut client = OwnerServiceClient::new(channel(&[&owners]));
    let answer = client.get_owner(asked(&owner)).await.expect("the owner is there").into_inner();
    let state = OwnerState::try_from(answer).expect("it is whole");
    assert_eq!(serde_json::to_value(state).unwrap(), owner);
}

#[tokio::test]
async fn an_owner_that_is_not_there_is_not_found() {
    let world = World::new().await;
    let owners = world.owners().await;
    let user = user();
    let deleted = owners.created(&user).await;
    owners.delete(&deleted).by(&user).answer().await.expect(204);
    let mut client = OwnerServiceClient::new(channel(&[&owners]));
    let mut code = async |owner_id: String| client.get_owner(GetOwnerRequest { owner_id }).await.unwrap_err().code();
    assert_eq!(code(id(&deleted).to_owned()).await, Code::NotFound);
    assert_eq!(code(Uuid::now_v7().to_string()).await, Code::NotFound);
    assert_eq!(code("7".to_owned()).await, Code::InvalidArgument);
}

#[tokio::test]
async fn without_the_database_calls_are_unavailable_or_too_late_and_health_says_so() {
    let world = World::new().await;
    let database = testkit::proxy(world.mongo.url()).await;
    let owners = world.owners_with(&[&format!("--mongodb-url={}", database.url_for(world.mongo.url()))]).await;
    let owner = owners.created(&user()).await;
    let mut client = OwnerServiceClient::new(channel(&[&owners]));
    let health = HealthClient::new(channel(&[&owners]));
    let serves = async || {
        let request = HealthCheckRequest { service: "warren.v1.OwnerService".to_owned() };
        health.clone().check(request).await.expect("health is served").into_inner().status()
    };
    assert_eq!(serves().await, ServingStatus::Serving);

    database.cut().await;
    let mut request = Request::new(asked(&owner));
    request.set_timeout(Duration::from_secs(9));
    assert_eq!(client.get_owner(request).await.unwrap_err().code(), Code::Unavailable);
    let mut request = Request::new(asked(&owner));
    request.set_timeout(Duration::from_millis(300));
    assert_eq!(client.get_owner(request).await.unwrap_err().code(), Code::DeadlineExceeded);

    database.restore().await;
    eventually("owners are served again", async || (serves().await == ServingStatus::Serving).then_some(())).await;
}

#[tokio::test]
async fn calls_go_on_while_one_of_two_replicas_stops() {
    let world = World::new().await;
    let (one, two) = tokio::join!(world.owners(), world.owners());
    let owner = one.created(&user()).await;
    let client = OwnerServiceClient::new(channel(&[&one, &two]));
    let calls = async |count| {
        for _ in 0..count {
            client.clone().get_owner(asked(&owner)).await.expect("one of them answers");
        }
    };
    calls(10).await;
    tokio::join!(one.stop(), calls(200));
    calls(20).await;
}

#[tokio::test]
async fn reflection_tells_of_the_service() {
    let world = World::new().await;
    let owners = world.owners().await;
    let url = format!("http://{}", owners.grpc_address());
    let mut client = ServerReflectionClient::new(Endpoint::from_shared(url).expect("it is a URL").connect_lazy());
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let answers = client.server_reflection_info(futures_util::stream::iter([question])).await.expect("it is served");
    let answer = answers.into_inner().message().await.expect("in order").expect("one for each question");
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("a list was asked for")
    };
    let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    names.sort();
    assert_eq!(names, ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "warren.v1.OwnerService"]);
}
