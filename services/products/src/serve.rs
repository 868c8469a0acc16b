//! The gRPC side: other services ask for products, and orders for their stock.

use std::time::Duration;

use bson::doc;
use proto::v1::product_service_server::{ProductService, ProductServiceServer};
use proto::v1::reserve_stock_response::Outcome;
use proto::v1::{
    CommitStockRequest, CommitStockResponse, GetProductRequest, GetProductsRequest, GetProductsResponse, OutOfStock,
    Product, ReleaseStockRequest, ReleaseStockResponse, ReserveStockRequest, ReserveStockResponse, Reserved,
};
use service::http::{Limit, RequestIds};
use tonic::{Request, Response, Status};

use crate::product;
use crate::products::Products;
use crate::stock::reservation::Short;
use crate::stock::{Answer, Items, LOOK_AFTER, Lanes, MongoStore, Stockroom};

/// The most products of one call.
const MOST: u32 = 100;

/// The longest time that stock is held for an order.
const LONGEST_HOLD: Duration = Duration::from_secs(24 * 3_600);

#[derive(Clone, Debug)]
pub(crate) struct Serve {
    pub(crate) products: Products,
    pub(crate) store: MongoStore,
    pub(crate) lanes: Lanes,
}

impl Serve {
    pub(crate) fn service(self) -> ProductServiceServer<Self> {
        ProductServiceServer::new(self)
    }

    fn stock<T>(&self, request: &Request<T>) -> Stockroom<MongoStore> {
        let store = self.store.caused_by(request.extensions().get::<RequestIds>());
        Stockroom::new(store, self.lanes.clone(), LOOK_AFTER)
    }
}

#[tonic::async_trait]
impl ProductService for Serve {
    async fn get_product(&self, request: Request<GetProductRequest>) -> Result<Response<Product>, Status> {
        let product_id = proto::uuid("product_id", &request.get_ref().product_id)?;
        let state = self.products.get(product_id).await?.state();
        let state = state.ok_or_else(|| Status::not_found("the product was deleted"))?;
        Ok(Response::new(state.into()))
    }

    async fn get_products(
        &self,
        request: Request<GetProductsRequest>,
    ) -> Result<Response<GetProductsResponse>, Status> {
        let ids = request.into_inner().product_ids;
        if ids.len() > MOST as usize {
            return Err(Status::invalid_argument(format!("`product_ids` must be at most {MOST}")));
        }
        let id = |id: &String| proto::uuid("product_ids", id).map(|id| id.to_string());
        let ids = ids.iter().map(id).collect::<Result<Vec<_>, _>>()?;
        let found = self.products.page(doc! { "_id": { "$in": ids } }, None, Limit::of(Some(MOST))?).await?.0;
        let products = found.iter().filter_map(product::Product::state).map(Into::into).collect();
        Ok(Response::new(GetProductsResponse { products }))
    }

    async fn reserve_stock(
        &self,
        request: Request<ReserveStockRequest>,
    ) -> Result<Response<ReserveStockResponse>, Status> {
        let stock = self.stock(&request);
        let ReserveStockRequest { order_id, items, hold_for } = request.into_inner();
        let order_id = proto::uuid("order_id", &order_id)?;
        let item = |item: proto::v1::StockItem| Ok((proto::uuid("product_id", &item.product_id)?, item.quantity));
        let items = items.into_iter().map(item).collect::<Result<Vec<_>, Status>>()?;
        let items = Items::new(items).map_err(Status::invalid_argument)?;
        // Below zero it is no duration of ours.
        let hold_for = Duration::try_from(proto::required("hold_for", hold_for)?).unwrap_or_default();
        if hold_for.is_zero() || hold_for > LONGEST_HOLD {
            return Err(Status::invalid_argument("`hold_for` must be more than nothing and at most a day"));
        }
        let outcome = match stock.reserve(order_id, items, hold_for).await? {
            Answer::Reserved { expires_at } => {
                Outcome::Reserved(Reserved { expires_at: Some(proto::timestamp(expires_at)) })
            }
            Answer::OutOfStock(Short { product_id, available }) => {
                Outcome::OutOfStock(OutOfStock { product_id: product_id.to_string(), available })
            }
        };
        Ok(Response::new(ReserveStockResponse { outcome: Some(outcome) }))
    }

    async fn release_stock(
        &self,
        request: Request<ReleaseStockRequest>,
    ) -> Result<Response<ReleaseStockResponse>, Status> {
        let order_id = proto::uuid("order_id", &request.get_ref().order_id)?;
        self.stock(&request).release(order_id).await?;
        Ok(Response::new(ReleaseStockResponse {}))
    }

    async fn commit_stock(
        &self,
        request: Request<CommitStockRequest>,
    ) -> Result<Response<CommitStockResponse>, Status> {
        let order_id = proto::uuid("order_id", &request.get_ref().order_id)?;
        self.stock(&request).commit(order_id).await?;
        Ok(Response::new(CommitStockResponse {}))
    }
}
