//! Follows the owners: what products show of them is brought up to date, and what belonged to a deleted one is deleted.
//!
//! The newest that was heard of each owner is kept first, and only then its products are changed. A product that was created
//! meanwhile, with what the owner was before, is not among them: it is marked as new, and looked up afterwards.

use std::time::Duration;

use bson::{Bson, doc};
use contracts::owners::{OwnerEvent, OwnerState};
use futures_util::TryStreamExt;
use messaging::{Delivery, Failure, Handle};
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};
use service::ApiResult;
use service::documents::{Change, failed, in_time, state_alone};
use service::http::Limit;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::product::Product;
use crate::products::Products;
use crate::stock::is_duplicate;

/// How often new products are looked up.
const EVERY: Duration = Duration::from_secs(1);

/// How many products are read together.
const PAGE: u32 = 100;

/// The newest that was heard of an owner.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Heard {
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    owner_id: Uuid,
    version: i64,
    /// Absent once the owner is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shown: Option<Shown>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Shown {
    name: String,
    address: String,
}

impl From<&OwnerEvent> for Heard {
    fn from(event: &OwnerEvent) -> Self {
        let shown = |state: &OwnerState| Shown { name: state.name(), address: state.address.clone() };
        Self { owner_id: event.owner_id(), version: event.version(), shown: event.state().map(shown) }
    }
}

impl Heard {
    /// What becomes of one of the owner's products; `None` if it is up to date.
    fn apply(&self, product: &Product) -> Option<Product> {
        let seller = product.seller.as_ref().filter(|seller| seller.version < self.version)?;
        match &self.shown {
            Some(Shown { name, address }) => product.with_seller(name, address, self.version),
            None => (seller.id == self.owner_id).then(|| product.deleted()),
        }
    }
}

/// Follows the owners. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct FollowOwners {
    heard: Collection<Heard>,
    products: Products,
}

impl FollowOwners {
    pub(crate) fn new(database: &Database, products: Products) -> Self {
        Self { heard: database.collection("owners"), products }
    }

    /// Looks up products that are new, every second, until the stop.
    pub(crate) async fn look_up_until(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.look_up().await {
                tracing::debug!(%error, "the owners of new products could not be looked up");
            }
            let _ = stop.run_until_cancelled(tokio::time::sleep(EVERY)).await;
        }
    }

    async fn look_up(&self) -> ApiResult<()> {
        let collection = self.products.collection().clone();
        let found = in_time(async move {
            let found = collection.find(doc! { "is_new": true }).projection(state_alone()).limit(PAGE.into()).await?;
            found.try_collect::<Vec<Product>>().await
        });
        for product in found.await.map_err(failed)? {
            if let Some(seller) = &product.seller
                && let Some(heard) = self.newest(seller.id).await?
            {
                self.apply(&heard, product.id).await?;
            }
            let (collection, filter) = (self.products.raw(), doc! { "_id": product.id.to_string() });
            let seen = async move { collection.update_one(filter, doc! { "$unset": { "is_new": "" } }).await };
            in_time(seen).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn newest(&self, owner_id: Uuid) -> ApiResult<Option<Heard>> {
        let (collection, filter) = (self.heard.clone(), doc! { "_id": owner_id.to_string() });
        in_time(async move { collection.find_one(filter).await }).await.map_err(failed)
    }

    /// Keeps what is heard, unless something newer is kept already.
    async fn keep(&self, heard: Heard) -> ApiResult<()> {
        let filter = doc! { "_id": heard.owner_id.to_string(), "version": { "$lt": heard.version } };
        let collection = self.heard.clone();
        let kept = in_time(async move { collection.replace_one(filter, heard).upsert(true).await }).await;
        match kept {
            Err(error) if !is_duplicate(&error) => Err(failed(error)),
            _ => Ok(()),
        }
    }

    async fn hear(&self, event: &OwnerEvent) -> ApiResult<()> {
        self.keep(event.into()).await?;
        let Some(heard) = self.newest(event.owner_id()).await? else { return Ok(()) };
        let older =
            doc! { "seller.id": heard.owner_id.to_string(), "seller.version": { "$lt": Bson::Int64(heard.version) } };
        let (mut after, mut deleted) = (None, 0);
        loop {
            let (products, next) = self.products.page(older.clone(), after, Limit::of(Some(PAGE))?).await?;
            for product in products {
                deleted += usize::from(self.apply(&heard, product.id).await?);
            }
            if next.is_none() {
                break;
            }
            after = next;
        }
        if deleted > 0 {
            tracing::info!(owner_id = %heard.owner_id, products = deleted, "the products of a deleted owner are deleted");
        }
        Ok(())
    }

    /// Whether this has deleted the product.
    async fn apply(&self, heard: &Heard, product_id: Uuid) -> ApiResult<bool> {
        let applying = self.products.change(product_id, |present| Ok(heard.apply(present).map(Change::to)));
        match applying.await {
            // It was deleted just now.
            Err(error) if error.status() == 404 => Ok(false),
            applied => Ok(!applied?.is_there()),
        }
    }
}

impl Handle<OwnerEvent> for FollowOwners {
    async fn handle(&self, delivery: &Delivery<OwnerEvent>) -> Result<(), Failure> {
        Ok(self.hear(&delivery.payload).await?)
    }
}
