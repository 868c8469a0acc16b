//! A small shop behind every service, on a port of its own.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use contracts::Money;
use contracts::orders::{ItemProduct, OrderItem, OrderState, OrderStatus};
use contracts::owners::OwnerState;
use contracts::products::{ProductOwner, ProductState};
use proto::v1::order_service_server::{OrderService, OrderServiceServer};
use proto::v1::owner_service_server::{OwnerService, OwnerServiceServer};
use proto::v1::product_service_server::{ProductService, ProductServiceServer};
use proto::v1::{self, reserve_stock_response::Outcome};
use time::macros::datetime;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use uuid::Uuid;

pub(crate) fn owner() -> OwnerState {
    OwnerState {
        owner_id: Uuid::from_u128(1),
        first_name: "Grace".to_owned(),
        last_name: "Hopper".to_owned(),
        email: "grace@example.com".to_owned(),
        address: "1 Harbour Street".to_owned(),
        created_by: Uuid::from_u128(2),
        version: 3,
        created_at: datetime!(2026-01-02 03:04:05.000_006 UTC),
        updated_at: datetime!(2026-02-03 04:05:06 UTC),
    }
}

pub(crate) fn product() -> ProductState {
    let OwnerState { owner_id, address, version, created_at, updated_at, .. } = owner();
    ProductState {
        product_id: Uuid::from_u128(4),
        name: "Teapot".to_owned(),
        description: "Holds a litre.".to_owned(),
        price: Money::new(1999, "EUR".parse().expect("a currency")),
        owner: ProductOwner { owner_id, name: owner().name(), address, version },
        stock: 50,
        reserved: 2,
        sold: 7,
        image: None,
        version: 9,
        created_at,
        updated_at,
    }
}

pub(crate) fn order() -> OrderState {
    let ProductState { product_id, name, description, price, owner, version, created_at, updated_at, .. } = product();
    let product = ItemProduct { name, description, owner, version };
    OrderState {
        order_id: Uuid::from_u128(5),
        user_id: Uuid::from_u128(2),
        user_name: "Ada".to_owned(),
        items: vec![OrderItem { product_id, quantity: 2, price, product }],
        total: Money { amount: 3998, ..price },
        status: OrderStatus::Cancelled,
        reason: Some("payment timed out".to_owned()),
        version: 2,
        created_at,
        updated_at,
    }
}

/// A server that ends with the test.
pub(crate) struct Serving {
    task: AbortHandle,
    pub(crate) channel: Channel,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves the shop as a program does, with health and reflection.
pub(crate) async fn serve() -> Serving {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ProductServiceServer<Shop>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("the descriptors are whole");

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    let server = Server::builder()
        .add_service(health)
        .add_service(reflection)
        .add_service(OwnerServiceServer::new(Shop))
        .add_service(ProductServiceServer::new(Shop))
        .add_service(OrderServiceServer::new(Shop))
        .serve_with_incoming(TcpIncoming::from(listener));
    let task = tokio::spawn(server).abort_handle();

    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a valid address");
    let channel = endpoint.timeout(Duration::from_secs(5)).connect().await.expect("the server listens");
    Serving { task, channel }
}

/// Has one owner, one product and one order.
pub(crate) struct Shop;

fn found<T, U: From<T>>(there: bool, value: T) -> Result<Response<U>, Status> {
    if there { Ok(Response::new(value.into())) } else { Err(Status::not_found("there is none")) }
}

#[tonic::async_trait]
impl OwnerService for Shop {
    async fn get_owner(&self, request: Request<v1::GetOwnerRequest>) -> Result<Response<v1::Owner>, Status> {
        let id = proto::uuid("owner_id", &request.get_ref().owner_id)?;
        found(id == owner().owner_id, owner())
    }
}

#[tonic::async_trait]
impl ProductService for Shop {
    async fn get_product(&self, request: Request<v1::GetProductRequest>) -> Result<Response<v1::Product>, Status> {
        let id = proto::uuid("product_id", &request.get_ref().product_id)?;
        found(id == product().product_id, product())
    }

    async fn get_products(
        &self,
        request: Request<v1::GetProductsRequest>,
    ) -> Result<Response<v1::GetProductsResponse>, Status> {
        let known = HashMap::from([(product().product_id.to_string(), product())]);
        let products = request.get_ref().product_ids.iter().filter_map(|id| known.get(id).cloned()).map(Into::into);
        Ok(Response::new(v1::GetProductsResponse { products: products.collect() }))
    }

    async fn reserve_stock(
        &self,
        request: Request<v1::ReserveStockRequest>,
    ) -> Result<Response<v1::ReserveStockResponse>, Status> {
        let available = product().stock;
        let short = request.into_inner().items.into_iter().find(|item| i64::from(item.quantity) > available);
        let outcome = match short {
            Some(v1::StockItem { product_id, .. }) => Outcome::OutOfStock(v1::OutOfStock { product_id, available }),
            None => Outcome::Reserved(v1::Reserved { expires_at: Some(proto::timestamp(product().updated_at)) }),
        };
        Ok(Response::new(v1::ReserveStockResponse { outcome: Some(outcome) }))
    }

    async fn release_stock(
        &self,
        _: Request<v1::ReleaseStockRequest>,
    ) -> Result<Response<v1::ReleaseStockResponse>, Status> {
        Ok(Response::new(v1::ReleaseStockResponse {}))
    }

    async fn commit_stock(
        &self,
        _: Request<v1::CommitStockRequest>,
    ) -> Result<Response<v1::CommitStockResponse>, Status> {
        Err(Status::failed_precondition("nothing is reserved for this order"))
    }
}

#[tonic::async_trait]
impl OrderService for Shop {
    async fn get_order(&self, request: Request<v1::GetOrderRequest>) -> Result<Response<v1::Order>, Status> {
        let id = proto::uuid("order_id", &request.get_ref().order_id)?;
        found(id == order().order_id, order())
    }

    async fn list_orders_by_user(
        &self,
        request: Request<v1::ListOrdersByUserRequest>,
    ) -> Result<Response<v1::ListOrdersByUserResponse>, Status> {
        let user_id = proto::uuid("user_id", &request.get_ref().user_id)?;
        let orders = (user_id == order().user_id).then(|| order().into()).into_iter().collect();
        Ok(Response::new(v1::ListOrdersByUserResponse { orders, next: None }))
    }
}
