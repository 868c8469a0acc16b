//! Extractors that answer what is wrong with a request as a problem, field by field.

mod form;
mod json;
mod path;
mod query;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::Bytes;

pub use form::JsonOrForm;
pub use json::Json;
pub use path::Path;
pub use query::Query;

use super::body;
use super::error::ApiError;
use super::problem::FieldError;

/// The body as it came, within the limits; for what must be hashed or passed on unchanged.
#[derive(Clone, Debug)]
pub struct RawBody(pub Bytes);

impl<S: Sync> FromRequest<S> for RawBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        Ok(Self(body::read(request.into_body()).await?))
    }
}

/// The media type of a body, without its parameters and in lower case.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// Names the field that a value was wrong in, also where serde names it only in its message.
fn field_error<E: std::fmt::Display>(error: &serde_path_to_error::Error<E>) -> FieldError {
    let message = error.inner().to_string();
    // serde_json adds the place, which says less than the name of the field.
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    let mut field = error.path().to_string();
    if field == "." {
        field.clear();
    }
    if let Some(name) = named_in(message)
        && field.split('.').next_back().is_none_or(|last| last != name)
    {
        if !field.is_empty() {
            field.push('.');
        }
        field.push_str(name);
    }
    FieldError::new(if field.is_empty() { "body" } else { &field }, message)
}

fn named_in(message: &str) -> Option<&str> {
    let rest = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| message.strip_prefix(start))?;
    rest.split_once('`').map(|(name, _)| name)
}
