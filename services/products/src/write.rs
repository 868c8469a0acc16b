//! Creating, changing and deleting products, each together with the event that tells of it.

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use contracts::products::ProductState;
use service::auth::Identity;
use service::documents::{Aggregate, Change, Claim};
use service::http::{IdempotencyKey, Json, Path, Precondition, Problem, RequestIds};
use service::valid::valid;
use service::{ApiError, ApiResult};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::App;
use crate::product::{Details, Product};
use crate::read::shown;
use crate::request::{NewProduct, ProductDetails, StockChange};

pub(crate) fn router() -> OpenApiRouter<App> {
    let router = OpenApiRouter::new().routes(routes!(create)).routes(routes!(update)).routes(routes!(delete));
    router.routes(routes!(change_stock))
}

/// Creates a product of an owner that the user may act for.
#[utoipa::path(post, path = "/v1/products", tag = "products", params(IdempotencyKey), request_body = NewProduct,
    responses(
        (status = 201, description = "The product", body = ProductState,
            headers(("Location" = String, description = "The product"), ("ETag" = String, description = "The version"))),
        (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 403, description = "The owner belongs to another user", body = Problem,
            content_type = Problem::MEDIA_TYPE),
        (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 415, description = "Not JSON by its media type", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 422, description = "These fields are wrong, or there is no such owner", body = Problem,
            content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn create(
    State(app): State<App>,
    identity: Identity,
    key: IdempotencyKey,
    ids: RequestIds,
    Json(new): Json<NewProduct>,
) -> ApiResult<Response> {
    let new = valid(new)?;
    // A repetition is answered as the first time, whatever became of the owner since.
    let asked = Claim::new(identity.user_id, &key, &new, &())?;
    if let Some(asked) = asked
        && let Some(first) = app.products.answer_before(&asked).await?
    {
        return created(first);
    }
    let seller = app.owners.seller(new.owner_id, &ids).await?;
    if !identity.may_act_for(seller.created_by) {
        return Err(ApiError::forbidden("this owner belongs to another user"));
    }
    let product = Product::new(new.details(), seller, new.stock);
    let state = product.state();
    let claim = Claim::new(identity.user_id, &key, &new, &state)?;
    created(app.products.create(Change::to(product).caused_by(&ids), claim, state).await?)
}

fn created(state: Option<ProductState>) -> ApiResult<Response> {
    let location = state.as_ref().map(|state| format!("/v1/products/{}", state.product_id)).unwrap_or_default();
    let mut response = shown(state)?;
    *response.status_mut() = StatusCode::CREATED;
    let location = HeaderValue::try_from(location).map_err(anyhow::Error::new)?;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// Changes a product: what is sent takes the place of what there was. Owner and stock stay.
#[utoipa::path(put, path = "/v1/products/{product_id}", tag = "products", request_body = ProductDetails,
    params(("product_id" = Uuid, Path, description = "The product"), Precondition),
    responses(
        (status = 200, description = "The product after the change", body = ProductState,
            headers(("ETag" = String, description = "The version"))),
        (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 403, description = "It belongs to another user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such product", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 412, description = "The version is another one", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 415, description = "Not JSON by its media type", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 422, description = "These fields are wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn update(
    State(app): State<App>,
    Path(product_id): Path<Uuid>,
    identity: Identity,
    precondition: Precondition,
    ids: RequestIds,
    Json(details): Json<ProductDetails>,
) -> ApiResult<Response> {
    let details = Details::from(valid(details)?);
    let product = app.products.change(product_id, |present| {
        allowed(&identity, present, &precondition)?;
        Ok(present.updated(&details).map(|next| Change::to(next).caused_by(&ids)))
    });
    shown(product.await?.state())
}

/// Adds to the stock, or takes away from what nobody has reserved.
///
/// A request without `If-Match` that is sent twice changes it twice.
#[utoipa::path(patch, path = "/v1/products/{product_id}/stock", tag = "products", request_body = StockChange,
    params(("product_id" = Uuid, Path, description = "The product"), Precondition),
    responses(
        (status = 200, description = "The product after the change", body = ProductState,
            headers(("ETag" = String, description = "The version"))),
        (status = 400, description = "Not JSON", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 403, description = "It belongs to another user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such product", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 409, description = "There would be fewer than none, or too many", body = Problem,
            content_type = Problem::MEDIA_TYPE),
        (status = 412, description = "The version is another one", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 413, description = "The body is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 415, description = "Not JSON by its media type", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 422, description = "These fields are wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn change_stock(
    State(app): State<App>,
    Path(product_id): Path<Uuid>,
    identity: Identity,
    precondition: Precondition,
    ids: RequestIds,
    Json(change): Json<StockChange>,
) -> ApiResult<Response> {
    let StockChange { change } = valid(change)?;
    let product = app.products.change(product_id, |present| {
        allowed(&identity, present, &precondition)?;
        let available = present.stock.available;
        let impossible = || ApiError::conflict(format!("{available} are there, which cannot be changed by {change}"));
        let stock = present.stock.changed(change).ok_or_else(impossible)?;
        Ok((change != 0).then(|| Change::to(present.with_stock(stock)).caused_by(&ids)))
    });
    shown(product.await?.state())
}

/// Deletes a product. Orders that have reserved some of it may still buy them.
#[utoipa::path(delete, path = "/v1/products/{product_id}", tag = "products",
    params(("product_id" = Uuid, Path, description = "The product"), Precondition),
    responses(
        (status = 204, description = "The product is gone"),
        (status = 403, description = "It belongs to another user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such product", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 412, description = "The version is another one", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now", body = Problem, content_type = Problem::MEDIA_TYPE),
    ))]
async fn delete(
    State(app): State<App>,
    Path(product_id): Path<Uuid>,
    identity: Identity,
    precondition: Precondition,
    ids: RequestIds,
) -> ApiResult<StatusCode> {
    let deleting = app.products.change(product_id, |present| {
        allowed(&identity, present, &precondition)?;
        Ok(Some(Change::to(present.deleted()).caused_by(&ids)))
    });
    deleting.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who may change an owner may change its products, and so may admins.
pub(crate) fn allowed(identity: &Identity, product: &Product, precondition: &Precondition) -> ApiResult<()> {
    let may = product.seller.as_ref().is_some_and(|seller| identity.may_act_for(seller.created_by));
    if !may {
        return Err(ApiError::forbidden("this product belongs to another user"));
    }
    precondition.check(product.version())
}
