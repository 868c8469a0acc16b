//! Calls over a connection.

use std::time::Duration;

use contracts::orders::OrderState;
use contracts::owners::OwnerState;
use contracts::products::ProductState;
use futures_util::stream;
use proto::v1::order_service_client::OrderServiceClient;
use proto::v1::owner_service_client::OwnerServiceClient;
use proto::v1::product_service_client::ProductServiceClient;
use proto::v1::{self, reserve_stock_response::Outcome};
use tokio::time::timeout;
use tonic::{Code, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use uuid::Uuid;

use crate::shop::{order, owner, product, serve};

#[tokio::test]
async fn what_contracts_holds_survives_the_way() {
    let shop = serve().await;

    let request = v1::GetOwnerRequest { owner_id: owner().owner_id.to_string() };
    let answer = OwnerServiceClient::new(shop.channel.clone()).get_owner(request).await.expect("the owner is there");
    assert_eq!(OwnerState::try_from(answer.into_inner()), Ok(owner()));

    let mut products = ProductServiceClient::new(shop.channel.clone());
    let id = product().product_id.to_string();
    let request = v1::GetProductRequest { product_id: id.clone() };
    let answer = products.get_product(request).await.expect("the product is there");
    assert_eq!(ProductState::try_from(answer.into_inner()), Ok(product()));
    let request = v1::GetProductsRequest { product_ids: vec![Uuid::nil().to_string(), id] };
    let answer = products.get_products(request).await.expect("a list can be short").into_inner();
    assert_eq!(answer.products, [product().into()]);

    let mut orders = OrderServiceClient::new(shop.channel.clone());
    let request = v1::GetOrderRequest { order_id: order().order_id.to_string() };
    let answer = orders.get_order(request).await.expect("the order is there");
    assert_eq!(OrderState::try_from(answer.into_inner()), Ok(order()));
    let request = v1::ListOrdersByUserRequest { user_id: order().user_id.to_string(), limit: 5, after: None };
    let answer = orders.list_orders_by_user(request).await.expect("the user has orders").into_inner();
    assert_eq!(answer, v1::ListOrdersByUserResponse { orders: vec![order().into()], next: None });
}

#[tokio::test]
async fn a_lack_of_stock_is_an_answer_and_other_refusals_are_statuses() {
    let shop = serve().await;
    let mut products = ProductServiceClient::new(shop.channel.clone());
    let order_id = order().order_id.to_string();
    let product_id = product().product_id.to_string();

    let reserve = |quantity| v1::ReserveStockRequest {
        order_id: order_id.clone(),
        items: vec![v1::StockItem { product_id: product_id.clone(), quantity }],
        hold_for: Some(Duration::from_secs(120).try_into().expect("a short time")),
    };
    let enough = products.reserve_stock(reserve(50)).await.expect("an answer").into_inner().outcome;
    let expires_at = Some(proto::timestamp(product().updated_at));
    assert_eq!(enough, Some(Outcome::Reserved(v1::Reserved { expires_at })));
    let short = products.reserve_stock(reserve(51)).await.expect("an answer").into_inner().outcome;
    assert_eq!(short, Some(Outcome::OutOfStock(v1::OutOfStock { product_id, available: 50 })));

    let code = |status: Status| status.code();
    let request = v1::CommitStockRequest { order_id: order_id.clone() };
    assert_eq!(products.commit_stock(request).await.map_err(code).err(), Some(Code::FailedPrecondition));
    products.release_stock(v1::ReleaseStockRequest { order_id }).await.expect("it may be repeated at will");
    let request = v1::GetProductRequest { product_id: Uuid::nil().to_string() };
    assert_eq!(products.get_product(request).await.map_err(code).err(), Some(Code::NotFound));
    let request = v1::GetProductRequest { product_id: "teapot".to_owned() };
    assert_eq!(products.get_product(request).await.map_err(code).err(), Some(Code::InvalidArgument));
}

#[tokio::test]
async fn reflection_lists_the_services_and_finds_what_they_import() {
    let shop = serve().await;
    let ask = |message| ServerReflectionRequest { host: String::new(), message_request: Some(message) };
    let questions = stream::iter([
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol("warren.v1.OrderService".to_owned())),
        ask(MessageRequest::FileContainingSymbol("google.protobuf.Timestamp".to_owned())),
    ]);
    let mut reflection = ServerReflectionClient::new(shop.channel.clone());
    let mut answers = reflection.server_reflection_info(questions).await.expect("reflection is served").into_inner();
    let mut next = async || {
        let answer = timeout(Duration::from_secs(5), answers.message()).await.expect("an answer within 5 s");
        answer.expect("no error").expect("one answer for each question").message_response
    };

    let Some(MessageResponse::ListServicesResponse(list)) = next().await else { panic!("a list was asked for") };
    let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    names.sort();
    let ours = ["warren.v1.OrderService", "warren.v1.OwnerService", "warren.v1.ProductService"];
    assert_eq!(names, [&["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"][..], &ours].concat());
    for symbol in ["the order service", "what it imports"] {
        let answer = next().await;
        assert!(matches!(answer, Some(MessageResponse::FileDescriptorResponse(_))), "{symbol}: {answer:?}");
    }
}

#[tokio::test]
async fn health_is_told_for_each_service() {
    let shop = serve().await;
    let mut health = HealthClient::new(shop.channel.clone());
    for service in ["", "warren.v1.ProductService"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = health.check(request).await.expect("health is served").into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "`{service}`");
    }
    let unknown = health.check(HealthCheckRequest { service: "no.such".to_owned() }).await;
    assert_eq!(unknown.map_err(|status| status.code()).err(), Some(Code::NotFound));
}
