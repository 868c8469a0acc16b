//! The image of a product.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, EXPECT, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use contracts::products::ProductState;
use service::auth::Identity;
use service::documents::Change;
use service::http::{HttpSettings, Path, Precondition, Problem, RequestIds};
use service::{ApiError, ApiResult};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::App;
use crate::images::{Image, Key, LARGEST, Storage, announced, discard, is_known, receive};
use crate::product::Product;
use crate::read::shown;
use crate::write::allowed;

/// How often an image is looked for that others replace meanwhile.
const TRIES: usize = 3;

/// Limits of an image's own: it is larger than anything else, is taken as it was sent, and has the time that a slow line takes.
pub(crate) const SETTINGS: HttpSettings = HttpSettings {
    body_limit: LARGEST,
    body_timeout: Some(Duration::from_secs(120)),
    body_stall: Duration::from_secs(20),
    decompress: false,
    handler_timeout: Duration::from_secs(150),
    finish_abandoned: true,
    max_abandoned: 1_000,
};

pub(crate) fn guarded_router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(put_image, delete_image))
}

pub(crate) fn open_router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_image))
}

/// An image's bytes.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only documents what bodies are")]
struct ImageBytes(Vec<u8>);

/// Gives a product an image, in the place of the one it has.
///
/// It is a PNG, JPEG or WebP by its `Content-Type` and by its first bytes, at most 5 MiB, and sent with its length. Whatever goes
/// wrong, the product keeps the image that it had.
#[utoipa::path(put, path = "/v1/products/{product_id}/image", tag = "products",
    request_body(content((ImageBytes = "image/png"), (ImageBytes = "image/jpeg"), (ImageBytes = "image/webp"))),
    params(("product_id" = Uuid, Path, description = "The product"), Precondition),
    responses(
        (status = 200, description = "The product with its image", body = ProductState,
            headers(("ETag" = String, description = "The version"))),
        (status = 400, description = "The body ended too early", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 403, description = "It belongs to another user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such product", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 408, description = "The body did not arrive in time", body = Problem,
            content_type = Problem::MEDIA_TYPE),
        (status = 411, description = "The length is not said", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 412, description = "The version is another one", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 413, description = "The image is too large", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 415, description = "It is no image of these kinds, or another than it is said to be", body = Problem,
            content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now, or no object storage is configured", body = Problem,
            content_type = Problem::MEDIA_TYPE),
    ))]
async fn put_image(
    State(app): State<App>,
    Path(product_id): Path<Uuid>,
    identity: Identity,
    precondition: Precondition,
    ids: RequestIds,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<Response> {
    let size = body.size_hint().exact();
    let begun = async {
        let storage = configured(&app)?;
        let product = app.products.get(product_id).await?;
        allowed(&identity, &product, &precondition)?;
        let (kind, size) = announced(&headers, size)?;
        Ok((storage, kind, size, Key { product_id, epoch: product.picture.epoch, id: Uuid::now_v7() }))
    };
    let (storage, kind, size, key) = match begun.await {
        Ok(begun) => begun,
        Err(error) => {
            // Who waits to be told to go on has sent nothing yet.
            if !headers.contains_key(EXPECT) {
                discard(body.into_data_stream()).await;
            }
            return Err(error);
        }
    };
    let image = match receive(storage, key, kind, size, body).await {
        Ok(image) => image,
        Err(error) => {
            app.products.leftovers().remove(key);
            return Err(error);
        }
    };
    let product = show(&app, key, &image, &identity, &precondition, &ids).await?;
    shown(product.state())
}

/// Makes an upload the image of its product, unless the same is there already.
async fn show(
    app: &App,
    key: Key,
    image: &Image,
    identity: &Identity,
    precondition: &Precondition,
    ids: &RequestIds,
) -> ApiResult<Product> {
    let mut is_refused = false;
    let changing = app.products.change(key.product_id, |present| {
        let picture = &present.picture;
        if picture.shows(key.id) || picture.has_shown(key.id) {
            // The answer to an earlier try was lost.
            return Ok(None);
        }
        let decided = allowed(identity, present, precondition).and_then(|()| {
            if picture.image.as_ref().is_some_and(|present| present.equals(image)) {
                return Ok(None);
            }
            if picture.epoch != key.epoch {
                return Err(ApiError::unavailable("the upload took too long", Duration::from_secs(1)));
            }
            Ok(Some(Change::to(present.with_picture(picture.with(Some(image.clone())))).caused_by(ids)))
        });
        is_refused = decided.is_err();
        decided
    });
    let changed = changing.await;
    match &changed {
        Ok(product) if product.picture.shows(key.id) => {}
        Ok(_) => app.products.leftovers().remove(key),
        Err(_) if is_refused => app.products.leftovers().remove(key),
        // Nobody knows whether it is shown now: the sweep will see.
        Err(_) => {}
    }
    changed
}

/// The image of a product.
#[utoipa::path(get, path = "/v1/products/{product_id}/image", tag = "products",
    params(
        ("product_id" = Uuid, Path, description = "The product"),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of the image that is known already"),
    ),
    responses(
        (status = 200, description = "The image", headers(("ETag" = String, description = "Tells it from every other")),
            content((ImageBytes = "image/png"), (ImageBytes = "image/jpeg"), (ImageBytes = "image/webp"))),
        (status = 304, description = "It is the one that is known already"),
        (status = 404, description = "There is no such product, or it has no image", body = Problem,
            content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now, or no object storage is configured", body = Problem,
            content_type = Problem::MEDIA_TYPE),
    ))]
async fn get_image(State(app): State<App>, Path(product_id): Path<Uuid>, headers: HeaderMap) -> ApiResult<Response> {
    let storage = configured(&app)?;
    for _ in 0..TRIES {
        let product = app.products.get(product_id).await?;
        let (Some(image), Some(key)) = (product.picture.image.as_ref(), product.image_key()) else {
            return Err(ApiError::not_found("the product has no image"));
        };
        // It may be another one the next time, and must not be taken for anything but an image.
        let about = [
            (ETAG, format!("\"{}\"", image.etag)),
            (CACHE_CONTROL, "public, no-cache".to_owned()),
            (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
            (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
        ];
        if is_known(&headers, &image.etag) {
            return Ok((StatusCode::NOT_MODIFIED, about).into_response());
        }
        if let Ok(found) = storage.get(key).await? {
            let content = [(CONTENT_TYPE, image.content_type.clone()), (CONTENT_LENGTH, found.meta.size.to_string())];
            return Ok((about, content, Body::from_stream(found.into_stream())).into_response());
        }
        // Another one has taken its place just now.
    }
    Err(ApiError::internal(anyhow::anyhow!("the image of product {product_id} is not in the bucket")))
}

/// Takes a product's image away.
#[utoipa::path(delete, path = "/v1/products/{product_id}/image", tag = "products",
    params(("product_id" = Uuid, Path, description = "The product"), Precondition),
    responses(
        (status = 204, description = "The product has no image any more"),
        (status = 403, description = "It belongs to another user", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 404, description = "There is no such product, or it has no image", body = Problem,
            content_type = Problem::MEDIA_TYPE),
        (status = 412, description = "The version is another one", body = Problem, content_type = Problem::MEDIA_TYPE),
        (status = 503, description = "Not now, or no object storage is configured", body = Problem,
            content_type = Problem::MEDIA_TYPE),
    ))]
async fn delete_image(
    State(app): State<App>,
    Path(product_id): Path<Uuid>,
    identity: Identity,
    precondition: Precondition,
    ids: RequestIds,
) -> ApiResult<StatusCode> {
    configured(&app)?;
    let deleting = app.products.change(product_id, |present| {
        allowed(&identity, present, &precondition)?;
        if present.picture.image.is_none() {
            return Err(ApiError::not_found("the product has no image"));
        }
        Ok(Some(Change::to(present.with_picture(present.picture.with(None))).caused_by(&ids)))
    });
    deleting.await?;
    Ok(StatusCode::NO_CONTENT)
}

fn configured(app: &App) -> ApiResult<&Storage> {
    let none = || ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no object storage is configured");
    app.storage.as_ref().ok_or_else(none)
}
