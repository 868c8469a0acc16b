//! Reading products: from the cache or, one reader for each product at a time, from products.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use client::grpc::GrpcServices;
use contracts::products::ProductState;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use proto::v1::GetProductsRequest;
use proto::v1::product_service_client::ProductServiceClient;
use service::{ApiError, ApiResult};
use tokio::time::sleep;
use tonic::Status;
use uuid::Uuid;

use super::{Cache, Cached, LOCK_LIVES};

/// How often to look whether another process has read what is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Products that are there, by their ids.
type Found = HashMap<Uuid, Arc<ProductState>>;

/// Some products on their way here, for all that wait for them.
type Flight = Shared<BoxFuture<'static, Result<Arc<Found>, Status>>>;

/// The products. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Products {
    cache: Cache,
    services: GrpcServices,
    flights: Arc<Mutex<HashMap<Uuid, Flight>>>,
}

impl Products {
    pub(crate) fn new(cache: Cache, services: GrpcServices) -> Self {
        Self { cache, services, flights: Arc::default() }
    }

    /// Those of them that there are.
    pub(crate) async fn get(&self, ids: &[Uuid]) -> ApiResult<Found> {
        let (mut found, missing) = match self.cache.get(ids).await {
            Some(cached) => known(cached, ids),
            None => (Found::new(), ids.to_vec()),
        };
        for flight in self.board(&missing) {
            let landed = flight.await.map_err(ApiError::from)?;
            found.extend(missing.iter().filter_map(|id| Some((*id, Arc::clone(landed.get(id)?)))));
        }
        Ok(found)
    }

    /// The flights that bring these: those that are on their way, and one more for the rest.
    fn board(&self, ids: &[Uuid]) -> Vec<Flight> {
        let mut flights = self.flights();
        let (under_way, rest): (Vec<Uuid>, Vec<Uuid>) = ids.iter().partition(|id| flights.contains_key(id));
        let mut boarded: Vec<Flight> = under_way.iter().filter_map(|id| flights.get(id).cloned()).collect();
        if !rest.is_empty() {
            let (products, fetched) = (self.clone(), rest.clone());
            let flight = async move {
                let landed = products.fetch(&fetched).await.map(Arc::new);
                let mut flights = products.flights();
                fetched.iter().for_each(|id| drop(flights.remove(id)));
                landed
            };
            let flight = flight.boxed().shared();
            // By itself: who has asked first may leave before the others.
            tokio::spawn(flight.clone());
            flights.extend(rest.into_iter().map(|id| (id, flight.clone())));
            boarded.push(flight);
        }
        boarded
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Uuid, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads them, each in one process at a time while Redis is there to see to that.
    async fn fetch(&self, ids: &[Uuid]) -> Result<Found, Status> {
        let locked = self.cache.lock(ids).await;
        let others: Vec<Uuid> = ids.iter().copied().filter(|id| !locked.contains(id)).collect();
        let (read, waited) = tokio::join!(self.read_unless_cached(&locked), self.wait_for(&others));
        self.cache.unlock(&locked).await;
        let (mut found, late) = waited;
        found.extend(read?);
        found.extend(self.read(&late).await?);
        Ok(found)
    }

    /// Whoever read them last may have put them into the cache since it was asked.
    async fn read_unless_cached(&self, ids: &[Uuid]) -> Result<Found, Status> {
        let Some(cached) = self.cache.get(ids).await else { return self.read(ids).await };
        let (mut found, missing) = known(cached, ids);
        found.extend(self.read(&missing).await?);
        Ok(found)
    }

    async fn read(&self, ids: &[Uuid]) -> Result<Found, Status> {
        if ids.is_empty() {
            return Ok(Found::new());
        }
        let mut products = ProductServiceClient::new(self.services.channel("products").idempotent());
        let product_ids = ids.iter().map(Uuid::to_string).collect();
        let answer = products.get_products(GetProductsRequest { product_ids }).await?.into_inner();
        let read: Result<Vec<ProductState>, _> = answer.products.into_iter().map(TryInto::try_into).collect();
        let read = read.map_err(|malformed| Status::internal(format!("products sent a product whose {malformed}")))?;
        let read: Vec<_> = read.into_iter().map(Arc::new).collect();
        self.cache.fill(&read).await;
        Ok(read.into_iter().map(|product| (product.product_id, product)).collect())
    }

    /// What other processes read, and what they have not read in time.
    async fn wait_for(&self, ids: &[Uuid]) -> (Found, Vec<Uuid>) {
        let (mut found, mut missing) = (Found::new(), ids.to_vec());
        for _ in 0..LOCK_LIVES.as_millis() / LOOK_EVERY.as_millis() {
            if missing.is_empty() {
                break;
            }
            sleep(LOOK_EVERY).await;
            let Some(cached) = self.cache.get(&missing).await else { break };
            let (more, rest) = known(cached, &missing);
            found.extend(more);
            missing = rest;
        }
        (found, missing)
    }
}

/// What the cache has of these, and what it says nothing of.
fn known(mut cached: HashMap<Uuid, Cached>, ids: &[Uuid]) -> (Found, Vec<Uuid>) {
    let (mut found, mut missing) = (Found::new(), Vec::new());
    for id in ids {
        match cached.remove(id) {
            Some(Cached { deleted: true, .. }) => {}
            Some(Cached { product: Some(product), .. }) => drop(found.insert(*id, product)),
            _ => missing.push(*id),
        }
    }
    (found, missing)
}
