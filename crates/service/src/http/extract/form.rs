//! A body that is either JSON or an HTML form.

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;

use super::{body, json, media_type, query};
use crate::http::error::ApiError;

/// A body as JSON or as a form (`application/x-www-form-urlencoded`), by its media type.
#[derive(Clone, Copy, Debug)]
pub struct JsonOrForm<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for JsonOrForm<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let kind = media_type(request.headers()).unwrap_or_default();
        if json::is_json(&kind) {
            json::parse(&body::read(request.into_body()).await?).map(Self)
        } else if kind == "application/x-www-form-urlencoded" {
            query::parse(&body::read(request.into_body()).await?).map(Self)
        } else {
            Err(ApiError::unsupported_media_type(
                "send the body as application/json or application/x-www-form-urlencoded",
            ))
        }
    }
}
