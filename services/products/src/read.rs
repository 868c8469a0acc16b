//! Reading products.

use axum::extract::State;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use contracts::products::ProductState;
use serde::Serialize;
use service::http::{Json, Path, Problem, Query, etag};
use service::{ApiError, ApiResult};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::App;
use crate::product::Product;
use crate::search::Search;

pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get))
}

/// A page of products.
#[derive(Debug, Serialize, ToSchema)]
struct Products {
    /// The products, in the order of their creation.
    products: Vec<ProductState>,
    /// What to ask the next page with, as `after`; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Uuid>,
}

/// Products in the order of their creation: all, or those that are searched for.
#[utoipa::path(get, path = "/v1/products", tag = "products", params(Search), responses(
    (status = 200, description = "A page of products", body = Products),
    (status = 422, description = "A parameter is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
async fn list(State(app): State<App>, Query(search): Query<Search>) -> ApiResult<Json<Products>> {
    let (products, next) = app.products.page(search.filter()?, search.after, search.limit()?).await?;
    Ok(Json(Products { products: products.iter().filter_map(Product::state).collect(), next }))
}

/// One product.
#[utoipa::path(get, path = "/v1/products/{product_id}", tag = "products",
    params(("product_id" = Uuid, Path, description = "The product")),
    responses(
        (status = 200, description = "The product", body = ProductState,
            headers(("ETag" = String, description = "The version, for `If-Match`"))),
        (status = 404, description = "There is no such product", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn get(State(app): State<App>, Path(product_id): Path<Uuid>) -> ApiResult<Response> {
    shown(app.products.get(product_id).await?.state())
}

/// A product's state, with its version.
pub(crate) fn shown(state: Option<ProductState>) -> ApiResult<Response> {
    let state = state.ok_or_else(|| ApiError::not_found("the product was deleted"))?;
    Ok(([(ETAG, etag(state.version))], Json(state)).into_response())
}
