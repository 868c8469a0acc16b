//! Products by gRPC, as other services ask for them.

use std::time::Duration;

use contracts::products::ProductState;
use proto::v1::{GetProductRequest, GetProductsRequest};
use testkit::eventually;
use tonic::transport::Endpoint;
use tonic::{Code, Request};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use uuid::Uuid;

use crate::support::{Ask, World, channel, id, user};

#[tokio::test]
async fn products_are_the_same_by_grpc_as_by_http() {
    let world = World::new().await;
    let products = world.products().await;
    let (user, mut calls) = (user(), products.calls());
    let owner = world.owners.of(&user);
    let (one, two) = (products.created(&user, &owner, 1).await, products.created(&user, &owner, 2).await);
    let gone = products.created(&user, &owner, 3).await;
    products.delete(&gone).by(&user).answer().await.expect(204);

    let json = |product| serde_json::to_value(ProductState::try_from(product).expect("it is whole")).unwrap();
    let request = GetProductRequest { product_id: id(&one).to_owned() };
    assert_eq!(json(calls.get_product(request).await.expect("it is there").into_inner()), one);
    let product_ids = [id(&two), id(&gone), id(&one), &Uuid::now_v7().to_string(), id(&one)].map(str::to_owned);
    let answer = calls.get_products(GetProductsRequest { product_ids: product_ids.to_vec() }).await;
    let mut found: Vec<_> = answer.expect("an answer").into_inner().products.into_iter().map(json).collect();
    found.sort_by_key(|product| product["stock"].as_i64());
    assert_eq!(found, [one, two]);

    let mut code =
        async |product_id: String| calls.get_product(GetProductRequest { product_id }).await.unwrap_err().code();
    assert_eq!(code(id(&gone).to_owned()).await, Code::NotFound);
    assert_eq!(code(Uuid::now_v7().to_string()).await, Code::NotFound);
    assert_eq!(code("7".to_owned()).await, Code::InvalidArgument);
    for wrong in [vec!["7".to_owned()], vec![Uuid::nil().to_string(); 101]] {
        let refused = products.calls().get_products(GetProductsRequest { product_ids: wrong }).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
}

#[tokio::test]
async fn without_the_database_calls_are_unavailable_or_too_late_and_health_says_so() {
    let world = World::new().await;
    let database = testkit::proxy(world.mongo.url()).await;
    let arguments = format!("--mongodb-url={}", database.url_for(world.mongo.url()));
    let products = world.products_with(&[&arguments]).await;
    let user = user();
    let product = products.created(&user, &world.owners.of(&user), 1).await;
    let health = HealthClient::new(channel(&[products.grpc_address()]));
    let serves = async || {
        let request = HealthCheckRequest { service: "warren.v1.ProductService".to_owned() };
        health.clone().check(request).await.expect("health is served").into_inner().status()
    };
    assert_eq!(serves().await, ServingStatus::Serving);
    database.cut().await;
    let asked = || GetProductRequest { product_id: id(&product).to_owned() };
    assert_eq!(products.calls().get_product(asked()).await.unwrap_err().code(), Code::Unavailable);
    let mut request = Request::new(asked());
    request.set_timeout(Duration::from_millis(300));
    assert_eq!(products.calls().get_product(request).await.unwrap_err().code(), Code::DeadlineExceeded);
    database.restore().await;
    eventually("products are served again", async || (serves().await == ServingStatus::Serving).then_some(())).await;
}

#[tokio::test]
async fn reflection_tells_of_the_service() {
    let world = World::new().await;
    let products = world.products().await;
    let url = format!("http://{}", products.grpc_address());
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
    assert_eq!(names, ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "warren.v1.ProductService"]);
}
