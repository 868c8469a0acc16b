//! A user's orders in a few numbers, for their start page.

use axum::extract::State;
use bson::{Bson, Document, doc};
use contracts::Money;
use contracts::orders::OrderState;
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use service::ApiResult;
use service::auth::Identity;
use service::documents::{failed, in_time};
use service::http::{FieldError, Json, Limit, Problem, Query};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::App;
use crate::order::Order;
use crate::read::own;
use crate::store::of_user;

const RECENT: u32 = 5;
const MOST_RECENT: u32 = 100;

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(summary))
}

/// Whose orders.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The user's; the own ones if it is not given.
    user_id: Option<Uuid>,
    /// How many of the newest are shown; 5 if it is not given.
    #[param(minimum = 1, maximum = 100)]
    recent: Option<u32>,
}

/// A user's orders.
#[derive(Debug, Serialize, ToSchema)]
struct Summary {
    /// How many there are.
    total: u64,
    /// The newest.
    recent: Vec<OrderState>,
    /// What all that are not cancelled are worth, by currency.
    total_value: Vec<Money>,
}

/// A user's orders in short.
#[utoipa::path(get, path = "/v1/orders/summary", tag = "orders", params(Asked), responses(
    (status = 200, description = "The orders in short", body = Summary),
    (status = 403, description = "They belong to another user", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 422, description = "A parameter is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn summary(State(app): State<App>, identity: Identity, Query(asked): Query<Asked>) -> ApiResult<Json<Summary>> {
    let user_id = own(&identity, asked.user_id.unwrap_or(identity.user_id))?;
    let recent = asked.recent.unwrap_or(RECENT);
    if !(1..=MOST_RECENT).contains(&recent) {
        let wrong = FieldError::new("recent", format!("must be from 1 to {MOST_RECENT}"));
        return Err(service::ApiError::unprocessable([wrong]));
    }
    let newest = app.orders.newest(of_user(user_id), None, Limit::of(Some(recent))?);
    let ((recent, _), counts) = tokio::try_join!(newest, counts(&app, user_id))?;
    let total = counts.iter().map(|count| count.orders).sum();
    let total_value = counts.iter().filter_map(Count::value).collect();
    Ok(Json(Summary { total, recent: recent.iter().map(Order::state).collect(), total_value }))
}

/// The orders of one currency.
struct Count {
    currency: String,
    orders: u64,
    /// How many of them are not cancelled.
    kept: u64,
    amount: i64,
}

impl Count {
    fn value(&self) -> Option<Money> {
        let currency = self.currency.parse().ok().filter(|_| self.kept > 0)?;
        Some(Money::new(self.amount, currency))
    }

    fn of(group: &Document) -> Self {
        let number = |name: &str| match group.get(name) {
            Some(Bson::Int32(number)) => i64::from(*number),
            Some(Bson::Int64(number)) => *number,
            _ => 0,
        };
        let currency = group.get_str("_id").unwrap_or_default().to_owned();
        let count = |name| u64::try_from(number(name)).unwrap_or(0);
        Self { currency, orders: count("orders"), kept: count("kept"), amount: number("amount") }
    }
}

async fn counts(app: &App, user_id: Uuid) -> ApiResult<Vec<Count>> {
    let cancelled = doc! { "$eq": ["$status", "cancelled"] };
    let group = doc! {
        "_id": "$total.currency",
        "orders": { "$sum": 1_i64 },
        "kept": { "$sum": { "$cond": [cancelled.clone(), 0_i64, 1_i64] } },
        "amount": { "$sum": { "$cond": [cancelled, 0_i64, "$total.amount"] } },
    };
    let pipeline = [doc! { "$match": of_user(user_id) }, doc! { "$group": group }, doc! { "$sort": { "_id": 1 } }];
    let collection = app.orders.documents.raw();
    let counting = in_time(async move { collection.aggregate(pipeline).await?.try_collect::<Vec<Document>>().await });
    Ok(counting.await.map_err(failed)?.iter().map(Count::of).collect())
}
