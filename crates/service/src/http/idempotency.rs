//! `Idempotency-Key`: a request that may safely be sent again.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::{ApiError, ApiResult, FieldError};

const HEADER: &str = "idempotency-key";
const LONGEST: usize = 255;

/// The key of a request, if it has one; as an extractor it answers 422 if that is not one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only documents what the extractor reads")]
struct Described {
    /// Makes it safe to send the request again: the same key with the same request gets the first answer, without a second
    /// effect; with another request 422. Kept for 24 hours.
    #[param(rename = "Idempotency-Key", required = false, max_length = 255, example = "cart-17-attempt-1")]
    idempotency_key: String,
}

impl IntoParams for IdempotencyKey {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        Described::into_params(place)
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> ApiResult<Self> {
        let mut values = parts.headers.get_all(HEADER).iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let wrong = |detail: &str| Err(ApiError::unprocessable([FieldError::new("Idempotency-Key", detail)]));
        if values.next().is_some() {
            return wrong("is sent more than once");
        }
        match value.to_str() {
            Ok(key) if (1..=LONGEST).contains(&key.len()) && !key.contains('\t') => Ok(Self(Some(key.to_owned()))),
            _ => wrong("must have 1 to 255 printable ASCII characters"),
        }
    }
}
