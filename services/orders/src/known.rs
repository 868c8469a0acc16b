//! What orders know of products and users from their events, so that each order shows the newest of it.
//!
//! Events come late, twice and in any order, and orders are placed meanwhile. So the newest state that was heard of is kept, and
//! orders follow it: those that exist when it is heard of are changed then, and one that is placed at that moment looks it up
//! when its stock is reserved. A product whose stock has changed and nothing else costs one small write, however many orders show
//! it.

use bson::{Document, doc};
use futures_util::TryStreamExt;
use mongodb::error::{Error, ErrorKind, WriteFailure};
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};
use service::ApiResult;
use service::documents::instant::to_bson;
use service::documents::{failed, in_time, now};
use uuid::Uuid;

use crate::order::{Details, Order, Shown};
use crate::saga::Input;
use crate::store::Orders;

pub(crate) const USER_DELETED: &str = "the user was deleted";

/// What is known. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    products: Collection<Document>,
    users: Collection<Document>,
}

/// What is known about one order.
#[derive(Debug)]
pub(crate) struct About {
    products: Vec<Product>,
    user: Option<User>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Product {
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    id: Uuid,
    version: i64,
    details: Details,
    /// The version that has brought these details.
    details_version: i64,
    /// Whether orders may still show others.
    stale: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct User {
    version: i64,
    /// Absent once the user is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

impl Known {
    pub(crate) fn new(database: &Database) -> Self {
        Self { products: database.collection("known_products"), users: database.collection("known_users") }
    }

    /// A product has changed: every order that is not cancelled and shows something older shows this from now on.
    pub(crate) async fn product(&self, orders: &Orders, id: Uuid, version: i64, details: &Details) -> ApiResult<()> {
        let details = bson::serialize_to_bson(details).map_err(anyhow::Error::new)?;
        let older = doc! { "_id": id.to_string(), "version": { "$lt": version } };
        let mut same = older.clone();
        same.insert("details", details.clone());
        let products = self.products.clone();
        let learnt = in_time(async move {
            if products.update_one(same, doc! { "$set": { "version": version } }).await?.matched_count == 1 {
                return Ok(None);
            }
            let news = doc! { "version": version, "details": details, "details_version": version, "stale": true };
            let learnt = products.update_one(older, doc! { "$set": news }).upsert(true).await;
            // There is something newer, or the same again.
            learnt.map(drop).or_else(unless_duplicate)?;
            products.clone_with_type::<Product>().find_one(doc! { "_id": id.to_string(), "stale": true }).await
        });
        let Some(newest) = learnt.await.map_err(failed)? else { return Ok(()) };
        self.spread(orders, newest).await
    }

    async fn spread(&self, orders: &Orders, newest: Product) -> ApiResult<()> {
        let Product { id, version, details, details_version, .. } = newest;
        let id = id.to_string();
        let shown = bson::serialize_to_bson(&Shown { details, version }).map_err(anyhow::Error::new)?;
        let older = doc! { "product_id": &id, "product.version": { "$lt": version } };
        let filter = doc! { "items": { "$elemMatch": older }, "status": { "$in": ["pending", "confirmed"] } };
        let update = doc! {
            "$set": { "items.$[item].product": shown, "updated_at": to_bson(now()) },
            "$inc": { "version": 1 },
        };
        let item = doc! { "item.product_id": &id, "item.product.version": { "$lt": version } };
        let done = doc! { "_id": &id, "details_version": details_version };
        let (orders, products) = (orders.documents.raw(), self.products.clone());
        let spreading = in_time(async move {
            orders.update_many(filter, update).array_filters(vec![item]).await?;
            products.update_one(done, doc! { "$set": { "stale": false } }).await.map(drop)
        });
        spreading.await.map_err(failed)
    }

    /// A user has changed, or was deleted, and then has no name: their orders show the name, and end if they are open.
    pub(crate) async fn user(
        &self,
        orders: &Orders,
        id: Uuid,
        version: i64,
        name: Option<&str>,
    ) -> ApiResult<Vec<Order>> {
        let (user_id, users) = (id.to_string(), self.users.clone());
        let older = doc! { "_id": &user_id, "version": { "$lt": version } };
        let news = match name {
            Some(name) => doc! { "$set": { "version": version, "name": name } },
            None => doc! { "$set": { "version": version }, "$unset": { "name": "" } },
        };
        let newest = in_time(async move {
            users.update_one(older, news).upsert(true).await.map(drop).or_else(unless_duplicate)?;
            users.clone_with_type::<User>().find_one(doc! { "_id": user_id }).await
        });
        let Some(User { version, name }) = newest.await.map_err(failed)? else { return Ok(Vec::new()) };
        match name {
            Some(name) => self.rename(orders, id, version, &name).await.map(|()| Vec::new()),
            None => cancel(orders, id).await,
        }
    }

    async fn rename(&self, orders: &Orders, id: Uuid, version: i64, name: &str) -> ApiResult<()> {
        let older = doc! { "user_id": id.to_string(), "user_version": { "$lt": version } };
        let news = doc! { "user_name": name, "user_version": version, "updated_at": to_bson(now()) };
        let collection = orders.documents.raw();
        let renaming =
            async move { collection.update_many(older, doc! { "$set": news, "$inc": { "version": 1 } }).await };
        in_time(renaming).await.map(drop).map_err(failed)
    }

    /// What is known of an order's products and user.
    pub(crate) async fn about(&self, order: &Order) -> ApiResult<About> {
        let ids: Vec<String> = order.items.iter().map(|item| item.product_id.to_string()).collect();
        let (products, users) = (self.products.clone_with_type::<Product>(), self.users.clone_with_type::<User>());
        let user = doc! { "_id": order.user_id.to_string() };
        let found = in_time(async move {
            let products = async { products.find(doc! { "_id": { "$in": ids } }).await?.try_collect().await };
            tokio::try_join!(products, users.find_one(user))
        });
        let (products, user) = found.await.map_err(failed)?;
        Ok(About { products, user })
    }
}

impl About {
    /// Whether the order is not to go on.
    pub(crate) fn cancels(&self) -> Option<Input> {
        let deleted = self.user.as_ref().is_some_and(|user| user.name.is_none());
        deleted.then_some(Input::Cancel(USER_DELETED))
    }

    /// The order as it should be shown; the same version of it.
    pub(crate) fn shown_in(&self, order: &Order) -> Order {
        let mut order = order.clone();
        for Product { id, version, details, .. } in &self.products {
            let older = |item: &&mut crate::order::Item| item.product_id == *id && item.product.version < *version;
            for item in order.items.iter_mut().filter(older) {
                item.product = Shown { details: details.clone(), version: *version };
            }
        }
        if let Some(User { version, name: Some(name) }) = &self.user
            && order.user_version < *version
        {
            (order.user_name, order.user_version) = (name.clone(), *version);
        }
        order
    }
}

/// Gives up a user's open orders. Those that are being confirmed are, as they are paid.
async fn cancel(orders: &Orders, user_id: Uuid) -> ApiResult<Vec<Order>> {
    let open = doc! { "user_id": user_id.to_string(), "status": "pending" };
    let collection = orders.documents.collection().clone();
    let found = in_time(async move { collection.find(open).await?.try_collect::<Vec<Order>>().await });
    let mut cancelled = Vec::new();
    for order in found.await.map_err(failed)? {
        cancelled.push(orders.hear(order, &Input::Cancel(USER_DELETED)).await?);
    }
    Ok(cancelled)
}

fn unless_duplicate(error: Error) -> Result<(), Error> {
    match &*error.kind {
        ErrorKind::Write(WriteFailure::WriteError(write)) if write.code == 11000 => Ok(()),
        _ => Err(error),
    }
}
