//! The parameters in a path.

use axum::extract::FromRequestParts;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::http::error::ApiError;

/// The parameters in a path; one that cannot name anything, such as an id that is no UUID, is answered with 404.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(parameters)) => Ok(Self(parameters)),
            Err(PathRejection::FailedToDeserializePathParams(error)) => Err(match error.into_kind() {
                ErrorKind::ParseErrorAtKey { key, expected_type, .. } => nothing_at(&key, expected_type),
                ErrorKind::DeserializeError { key, message, .. } => nothing_at(&key, &message),
                ErrorKind::InvalidUtf8InPathParam { key } => nothing_at(&key, "UTF-8"),
                ErrorKind::ParseError { expected_type, .. } | ErrorKind::ParseErrorAtIndex { expected_type, .. } => {
                    ApiError::not_found(format!("the path has a part that is not of type {expected_type}"))
                }
                // A word that is none of those expected.
                ErrorKind::Message(message) => ApiError::not_found(format!("there is nothing at this path: {message}")),
                wrong_route => ApiError::internal(anyhow::anyhow!("{wrong_route}")),
            }),
            Err(error) => Err(ApiError::internal(error)),
        }
    }
}

fn nothing_at(key: &str, expected: &str) -> ApiError {
    ApiError::not_found(format!("there is nothing at this path: `{key}` is not valid ({expected})"))
}
