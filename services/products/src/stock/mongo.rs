//! Reservations and products in MongoDB.

use std::collections::HashSet;
use std::time::Duration;

use bson::{doc, serialize_to_bson};
use futures_util::TryStreamExt;
use messaging::Outgoing;
use messaging::documents::ensure_indexes;
use mongodb::error::{Error, ErrorKind, WriteFailure};
use mongodb::options::IndexOptions;
use mongodb::{Collection, Database, IndexModel};
use service::documents::{Aggregate, Documents, failed, in_time, instant, now, state_alone};
use service::http::RequestIds;
use service::{ApiError, ApiResult};
use time::OffsetDateTime;
use uuid::Uuid;

use super::reservation::{Reservation, State};
use super::store::Store;
use crate::product::Product;

/// How many that are due are read together.
const PAGE: i64 = 256;

/// A unique index has the key already.
const DUPLICATE_KEY: i32 = 11000;

/// Reservations and products in MongoDB. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MongoStore {
    products: Documents<Product>,
    reservations: Collection<Reservation>,
    correlation_id: Option<String>,
}

impl MongoStore {
    /// The products, and the collection `reservations` with the indexes it needs.
    ///
    /// # Errors
    /// If these cannot be made.
    pub async fn open(database: &Database, products: Documents<Product>) -> Result<Self, Error> {
        let reservations = database.collection("reservations");
        let made = |keys, options| IndexModel::builder().keys(keys).options(options).build();
        // Only what has not ended is in it.
        let due = IndexOptions::builder().name("due".to_owned()).sparse(true).build();
        let forgotten = IndexOptions::builder().name("forgotten".to_owned()).expire_after(Duration::ZERO).build();
        let indexes = [made(doc! { "due": 1 }, due), made(doc! { "forgotten_at": 1 }, forgotten)];
        ensure_indexes(&reservations, indexes).await?;
        Ok(Self { products, reservations, correlation_id: None })
    }

    /// The same, for what a request wants.
    #[must_use]
    pub fn caused_by(&self, ids: Option<&RequestIds>) -> Self {
        Self { correlation_id: ids.map(|ids| ids.correlation_id().to_owned()), ..self.clone() }
    }

    fn event(&self, product: &Product) -> Option<Outgoing> {
        let event = product.event()?;
        Some(match &self.correlation_id {
            Some(id) => event.with_correlation_id(id),
            None => event,
        })
    }

    /// Of a deleted product nobody is told how much is left of it, and so no event is due.
    async fn replace_deleted(&self, present: &Product, next: &Product) -> ApiResult<bool> {
        let filter = doc! { "_id": present.id.to_string(), "version": present.version };
        let stock = serialize_to_bson(&next.stock).map_err(|error| ApiError::internal(anyhow::Error::new(error)))?;
        let update = doc! { "$set": { "stock": stock, "version": next.version } };
        let products = self.products.raw();
        let updated = in_time(async move { products.update_one(filter, update).await }).await.map_err(failed)?;
        Ok(updated.matched_count == 1)
    }
}

impl Store for MongoStore {
    fn now(&self) -> OffsetDateTime {
        now()
    }

    async fn reservation(&self, order_id: Uuid) -> ApiResult<Option<Reservation>> {
        let reservations = self.reservations.clone();
        let filter = doc! { "_id": order_id.to_string() };
        in_time(async move { reservations.find_one(filter).await }).await.map_err(failed)
    }

    async fn reserving(&self, orders: &[Uuid]) -> ApiResult<HashSet<Uuid>> {
        let reservations = self.reservations.clone();
        let orders: Vec<String> = orders.iter().map(Uuid::to_string).collect();
        let found = in_time(async move {
            let found = reservations.find(doc! { "_id": { "$in": orders } }).await?;
            found.try_collect::<Vec<_>>().await
        });
        let found = found.await.map_err(failed)?.into_iter();
        Ok(found.filter(|found| found.state == State::Reserving).map(|found| found.order_id).collect())
    }

    async fn insert(&self, new: &Reservation) -> ApiResult<bool> {
        let (reservations, new) = (self.reservations.clone(), new.clone());
        match in_time(async move { reservations.insert_one(new).await }).await {
            Ok(_) => Ok(true),
            Err(error) if is_duplicate(&error) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    async fn replace(&self, present: &Reservation, next: &Reservation) -> ApiResult<bool> {
        let (reservations, next) = (self.reservations.clone(), next.clone());
        let filter = doc! { "_id": present.order_id.to_string(), "revision": present.revision };
        let replaced = in_time(async move { reservations.replace_one(filter, next).await }).await.map_err(failed)?;
        Ok(replaced.matched_count == 1)
    }

    async fn due(&self) -> ApiResult<Vec<Reservation>> {
        let reservations = self.reservations.clone();
        let filter = doc! { "due": { "$lte": instant::to_bson(now()) } };
        let found = in_time(async move { reservations.find(filter).limit(PAGE).await?.try_collect().await });
        found.await.map_err(failed)
    }

    async fn product(&self, product_id: Uuid) -> ApiResult<Option<Product>> {
        // Without the messages that wait in it, which can be many times as large as the rest.
        let products = self.products.collection().clone();
        let (filter, projection) = (doc! { "_id": product_id.to_string() }, state_alone());
        in_time(async move { products.find_one(filter).projection(projection).await }).await.map_err(failed)
    }

    async fn replace_product(&self, present: &Product, next: &Product) -> ApiResult<bool> {
        if present.is_deleted() {
            return self.replace_deleted(present, next).await;
        }
        self.products.replace(present, next, self.event(next).into_iter().collect()).await
    }
}

/// Whether a write failed because there is such a document already.
pub(crate) fn is_duplicate(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Write(WriteFailure::WriteError(error)) if error.code == DUPLICATE_KEY)
}
