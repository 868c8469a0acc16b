//! Orders in MongoDB.

use std::sync::Arc;
use std::time::Duration;

use bson::{Bson, Document, doc};
use contracts::orders::{OrderState, OrderStatus};
use futures_util::TryStreamExt;
use messaging::Publisher;
use messaging::documents::{Relay, RelaySettings};
use mongodb::options::IndexOptions;
use mongodb::{Database, IndexModel};
use service::documents::instant::to_bson;
use service::documents::{Change, Claim, Documents, failed, in_time, index, now, state_alone};
use service::http::Limit;
use service::{ApiError, ApiResult};
use uuid::Uuid;

use crate::order::Order;
use crate::saga::{Input, LEASE};
use crate::watch::Watch;

/// How often a change is tried that others come before.
const TRIES: usize = 20;

/// How many orders are taken up together.
const TAKEN_UP: i64 = 100;

/// The orders, and who follows them. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) documents: Documents<Order>,
    pub(crate) watch: Arc<Watch>,
}

impl Orders {
    pub(crate) async fn open(
        database: &Database,
        publisher: Publisher,
        settings: RelaySettings,
    ) -> anyhow::Result<(Self, Relay)> {
        let (documents, relay) = Documents::open(database, "orders", publisher, settings).await?;
        documents.ensure_index(index("user", doc! { "user_id": 1, "_id": -1 })).await?;
        documents.ensure_index(index("product", doc! { "items.product_id": 1 })).await?;
        let open = doc! { "saga.next_at": { "$exists": true } };
        let options = IndexOptions::builder().name("next_at".to_owned()).partial_filter_expression(open).build();
        let due = IndexModel::builder().keys(doc! { "saga.next_at": 1 }).options(options).build();
        documents.ensure_index(due).await?;
        let watch = Arc::new(Watch::new(documents.clone()));
        Ok((Self { documents, watch }, relay))
    }

    /// Stores a new order, which is announced when its stock is reserved. Returns `answer`, or the first one if the request has been
    /// sent before.
    pub(crate) async fn place(&self, order: &Order, claim: Option<Claim>, answer: OrderState) -> ApiResult<OrderState> {
        let placed = Change { to: order.clone(), messages: Vec::new() };
        let answer = self.documents.create(placed, claim, answer).await?;
        if answer.order_id == order.id {
            let Order { id: order_id, user_id, version, .. } = order;
            tracing::info!(%order_id, %user_id, version, "an order is placed");
        }
        Ok(answer)
    }

    /// Changes an order by what is decided on its state: on this one, or if others came before, on what they made of it. Returns
    /// the state after it.
    pub(crate) async fn change(
        &self,
        mut present: Order,
        mut decide: impl FnMut(&Order) -> ApiResult<Option<Change<Order>>>,
    ) -> ApiResult<Order> {
        for _ in 0..TRIES {
            let Some(Change { to, messages }) = decide(&present)? else { return Ok(present) };
            if self.documents.replace(&present, &to, messages).await? {
                if to.status != present.status {
                    log_end(&to);
                }
                self.watch.changed(&to);
                return Ok(to);
            }
            let version = present.version;
            present = self.documents.get(present.id).await?;
            if present.version == version {
                return Err(busy("too many messages of the order wait to be sent"));
            }
        }
        Err(busy("the order is being changed by too many others"))
    }

    /// Tells an order what was heard.
    pub(crate) async fn hear(&self, present: Order, input: &Input) -> ApiResult<Order> {
        self.change(present, |present| Ok(present.after(input))).await
    }

    /// Has a call that brought no answer tried again later.
    pub(crate) async fn postpone(&self, order: &Order) -> ApiResult<()> {
        let filter = doc! { "_id": order.id.to_string(), "version": order.version };
        let later = to_bson(order.saga.later(now()));
        let later = doc! { "$set": { "saga.next_at": later }, "$inc": { "saga.tries": 1 } };
        let collection = self.documents.raw();
        in_time(async move { collection.update_one(filter, later).await }).await.map(drop).map_err(failed)
    }

    /// Takes up orders that nobody has looked after in time, each by one process. Whether there may be more.
    pub(crate) async fn take_up(&self) -> ApiResult<(Vec<Order>, bool)> {
        let (collection, due) = (self.documents.raw(), doc! { "saga.next_at": { "$lte": to_bson(now()) } });
        let found = in_time(async move {
            let found =
                collection.find(due).projection(state_alone()).sort(doc! { "saga.next_at": 1 }).limit(TAKEN_UP).await?;
            found.try_collect::<Vec<Document>>().await
        });
        let found = found.await.map_err(failed)?;
        let more = found.len() as i64 == TAKEN_UP;
        let mut taken = Vec::with_capacity(found.len());
        for document in found {
            let (id, next_at) = (document.get("_id").cloned(), document["saga"].as_document().and_then(next_at));
            let order = match bson::deserialize_from_slice::<Order>(&document.to_vec().unwrap_or_default()) {
                Ok(order) => Some(order),
                Err(error) => {
                    tracing::error!(id = ?id, %error, "an order cannot be read and is left alone for a while");
                    None
                }
            };
            let filter = doc! { "_id": id, "version": document.get("version").cloned(), "saga.next_at": next_at };
            let until = now() + if order.is_some() { LEASE } else { LEASE * 20 };
            let claim = doc! { "$set": { "saga.next_at": to_bson(until) } };
            let collection = self.documents.raw();
            let claimed = in_time(async move { collection.update_one(filter, claim).await }).await.map_err(failed)?;
            taken.extend(order.filter(|_| claimed.matched_count == 1));
        }
        Ok((taken, more))
    }

    /// A page of orders, the newest first.
    pub(crate) async fn newest(
        &self,
        mut filter: Document,
        after: Option<Uuid>,
        limit: Limit,
    ) -> ApiResult<(Vec<Order>, Option<Uuid>)> {
        if let Some(after) = after {
            filter.insert("_id", doc! { "$lt": after.to_string() });
        }
        let collection = self.documents.collection().clone();
        let found = in_time(async move {
            let found = collection.find(filter).projection(state_alone()).sort(doc! { "_id": -1 });
            let found = found.limit(limit.with_one_more()).await?;
            found.try_collect::<Vec<Order>>().await
        });
        let mut found = found.await.map_err(failed)?;
        let next = limit.cut(&mut found).map(|order| order.id);
        Ok((found, next))
    }
}

fn log_end(order: &Order) {
    let Order { id: order_id, user_id, version, .. } = order;
    match order.status {
        OrderStatus::Pending => {}
        OrderStatus::Confirmed => tracing::info!(%order_id, %user_id, version, "an order is confirmed"),
        OrderStatus::Cancelled => {
            tracing::info!(%order_id, %user_id, version, reason = order.saga.reason, "an order is cancelled");
        }
    }
}

fn next_at(saga: &Document) -> Option<Bson> {
    saga.get("next_at").cloned()
}

/// Those of a user.
pub(crate) fn of_user(user_id: Uuid) -> Document {
    doc! { "user_id": user_id.to_string() }
}

/// The name of a status in the database.
pub(crate) fn status(status: OrderStatus) -> &'static str {
    match status {
        OrderStatus::Pending => "pending",
        OrderStatus::Confirmed => "confirmed",
        OrderStatus::Cancelled => "cancelled",
    }
}

fn busy(detail: &str) -> ApiError {
    ApiError::unavailable(detail, Duration::from_secs(1))
}
