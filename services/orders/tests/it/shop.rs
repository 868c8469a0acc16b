//! Products and the producer as orders see them: products are sold by the rules of `product.proto`, and users are there.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use contracts::Money;
use contracts::products::{ProductOwner, ProductState};
use proto::v1::product_service_server::{ProductService, ProductServiceServer};
use proto::v1::reserve_stock_response::Outcome;
use proto::v1::{self, OutOfStock, Reserved};
use serde_json::{Value, json};
use service::Health;
use service::grpc::GrpcServer;
use service::http::HttpLimits;
use time::OffsetDateTime;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status};
use uuid::Uuid;

/// What is held for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Reserved,
    Sold,
    Free,
}

#[derive(Debug, Default)]
pub(crate) struct Shelves {
    pub(crate) products: HashMap<Uuid, ProductState>,
    pub(crate) held: HashMap<Uuid, Held>,
    /// How often each product was read.
    pub(crate) reads: HashMap<Uuid, u32>,
    /// How long reading takes.
    pub(crate) read_takes: Duration,
    /// Whether products answer at all.
    pub(crate) away: bool,
    /// How long to hold it, of the last reservation.
    pub(crate) hold_for: i64,
    /// The users that the producer knows by name and version.
    pub(crate) users: HashMap<Uuid, (String, i64)>,
    /// The authorization that users were last asked for with.
    pub(crate) asked_with: String,
}

/// Both services, in the test's own process.
#[derive(Clone)]
pub(crate) struct Shop {
    shelves: Arc<Mutex<Shelves>>,
    products_at: SocketAddr,
    producer_at: SocketAddr,
    _stop: Arc<DropGuard>,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let (shelves, stop) = (Arc::<Mutex<Shelves>>::default(), CancellationToken::new());
        let listen = async || service::listen(([127, 0, 0, 1], 0).into()).await.expect("there is a free port");
        let (products, producer) = (listen().await, listen().await);
        let address = |listener: &tokio::net::TcpListener| listener.local_addr().expect("it listens");
        let (products_at, producer_at) = (address(&products), address(&producer));
        let router = GrpcServer::new(Health::new("products", "0"), proto::FILE_DESCRIPTOR_SET)
            .service(ProductServiceServer::new(Counter(shelves.clone())))
            .router()
            .expect("the descriptors can be read");
        let users = Router::new().route("/users/{id}", get(user)).with_state(shelves.clone());
        let limits = HttpLimits::default();
        tokio::spawn(service::grpc::serve(products, router, stop.clone(), limits));
        tokio::spawn(service::serve(producer, users, stop.clone(), limits));
        Self { shelves, products_at, producer_at, _stop: Arc::new(stop.drop_guard()) }
    }

    pub(crate) fn arguments(&self) -> [String; 2] {
        [
            format!("--grpc-urls=products=http://{}", self.products_at),
            format!("--service-urls=producer=http://{}", self.producer_at),
        ]
    }

    pub(crate) fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().expect("nothing panics while it holds this lock")
    }

    /// Puts a product there at 19.99 EUR.
    pub(crate) fn product(&self, name: &str, stock: i64) -> ProductState {
        let product = product(name, stock);
        self.shelves().products.insert(product.product_id, product.clone());
        product
    }

    pub(crate) fn user(&self, id: Uuid, name: &str) {
        self.shelves().users.insert(id, (name.to_owned(), 1));
    }

    pub(crate) fn held(&self, order_id: Uuid) -> Option<Held> {
        self.shelves().held.get(&order_id).copied()
    }
}

pub(crate) fn product(name: &str, stock: i64) -> ProductState {
    let now = OffsetDateTime::UNIX_EPOCH;
    let owner = ProductOwner {
        owner_id: Uuid::now_v7(),
        name: "Grace Hopper".to_owned(),
        address: "1 Harbour Street".to_owned(),
        version: 1,
    };
    ProductState {
        product_id: Uuid::now_v7(),
        name: name.to_owned(),
        description: "Holds a litre.".to_owned(),
        price: Money::new(1999, "EUR".parse().expect("a currency")),
        owner,
        stock,
        reserved: 0,
        sold: 0,
        image: None,
        version: 1,
        created_at: now,
        updated_at: now,
    }
}

async fn user(
    State(shelves): State<Arc<Mutex<Shelves>>>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    let mut shelves = shelves.lock().expect("nothing panics while it holds this lock");
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    shelves.asked_with = authorization.unwrap_or_default().to_owned();
    match shelves.users.get(&id) {
        Some((name, version)) => {
            let user = json!({ "user_id": id, "name": name, "email": "a@example.com", "version": version });
            (StatusCode::OK, Json(user))
        }
        None => (StatusCode::NOT_FOUND, Json(json!({ "detail": "there is no user with this id" }))),
    }
}

/// The service of products.
struct Counter(Arc<Mutex<Shelves>>);

impl Counter {
    fn shelves(&self) -> Result<MutexGuard<'_, Shelves>, Status> {
        let shelves = self.0.lock().expect("nothing panics while it holds this lock");
        if shelves.away { Err(Status::unavailable("the shop is closed")) } else { Ok(shelves) }
    }
}

fn id(text: &str) -> Uuid {
    text.parse().expect("orders send ids")
}

#[tonic::async_trait]
impl ProductService for Counter {
    async fn get_product(&self, _: Request<v1::GetProductRequest>) -> Result<Response<v1::Product>, Status> {
        Err(Status::unimplemented("orders ask for several"))
    }

    async fn get_products(
        &self,
        request: Request<v1::GetProductsRequest>,
    ) -> Result<Response<v1::GetProductsResponse>, Status> {
        let (takes, products) = {
            let mut shelves = self.shelves()?;
            let ids: Vec<Uuid> = request.get_ref().product_ids.iter().map(|text| id(text)).collect();
            ids.iter().for_each(|id| *shelves.reads.entry(*id).or_default() += 1);
            let products = ids.iter().filter_map(|id| shelves.products.get(id)).cloned().map(Into::into);
            (shelves.read_takes, products.collect())
        };
        tokio::time::sleep(takes).await;
        Ok(Response::new(v1::GetProductsResponse { products }))
    }

    async fn reserve_stock(
        &self,
        request: Request<v1::ReserveStockRequest>,
    ) -> Result<Response<v1::ReserveStockResponse>, Status> {
        let mut shelves = self.shelves()?;
        let request = request.into_inner();
        let order_id = id(&request.order_id);
        shelves.hold_for = request.hold_for.expect("it is held for a time").seconds;
        match shelves.held.get(&order_id) {
            Some(Held::Free) => return Err(Status::failed_precondition("released")),
            Some(_) => {}
            None => {
                let available = |item: &v1::StockItem| {
                    shelves.products.get(&id(&item.product_id)).map_or(0, |product| product.stock)
                };
                let short = request.items.iter().find(|item| available(item) < i64::from(item.quantity));
                if let Some(short) = short {
                    let short = OutOfStock { product_id: short.product_id.clone(), available: available(short) };
                    shelves.held.insert(order_id, Held::Free);
                    return Ok(Response::new(v1::ReserveStockResponse { outcome: Some(Outcome::OutOfStock(short)) }));
                }
                for item in &request.items {
                    let product = shelves.products.get_mut(&id(&item.product_id)).expect("it was found just now");
                    product.stock -= i64::from(item.quantity);
                }
                shelves.held.insert(order_id, Held::Reserved);
            }
        }
        let reserved = Reserved { expires_at: Some(proto::timestamp(OffsetDateTime::now_utc())) };
        Ok(Response::new(v1::ReserveStockResponse { outcome: Some(Outcome::Reserved(reserved)) }))
    }

    async fn release_stock(
        &self,
        request: Request<v1::ReleaseStockRequest>,
    ) -> Result<Response<v1::ReleaseStockResponse>, Status> {
        let mut shelves = self.shelves()?;
        let order_id = id(&request.get_ref().order_id);
        if shelves.held.get(&order_id) == Some(&Held::Sold) {
            return Err(Status::failed_precondition("sold"));
        }
        shelves.held.insert(order_id, Held::Free);
        Ok(Response::new(v1::ReleaseStockResponse {}))
    }

    async fn commit_stock(
        &self,
        request: Request<v1::CommitStockRequest>,
    ) -> Result<Response<v1::CommitStockResponse>, Status> {
        let mut shelves = self.shelves()?;
        let order_id = id(&request.get_ref().order_id);
        match shelves.held.get(&order_id) {
            Some(Held::Reserved | Held::Sold) => drop(shelves.held.insert(order_id, Held::Sold)),
            _ => return Err(Status::failed_precondition("not reserved")),
        }
        Ok(Response::new(v1::CommitStockResponse {}))
    }
}
