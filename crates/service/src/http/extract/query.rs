//! The query of a URL.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::field_error;
use crate::http::error::ApiError;

/// The query of a URL; what is wrong in it is answered with 422 and the field.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parse(parts.uri.query().unwrap_or_default().as_bytes()).map(Self)
    }
}

pub(super) fn parse<T: DeserializeOwned>(pairs: &[u8]) -> Result<T, ApiError> {
    let deserializer = serde_urlencoded::Deserializer::new(form_urlencoded::parse(pairs));
    serde_path_to_error::deserialize(deserializer).map_err(|error| ApiError::unprocessable([field_error(&error)]))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Page {
        limit: Option<u32>,
        after: Option<String>,
    }

    #[test]
    fn values_are_decoded() {
        let page: Page = parse(b"limit=20&after=a%20b%2B+c").unwrap();
        assert_eq!(page, Page { limit: Some(20), after: Some("a b+ c".into()) });
        assert_eq!(parse::<Page>(b"").unwrap(), Page { limit: None, after: None });
    }

    #[test]
    fn a_wrong_value_names_its_field() {
        for (query, field) in [("limit=many", "limit"), ("limit=-1", "limit"), ("after=a&after=b", "after")] {
            let error = parse::<Page>(query.as_bytes()).unwrap_err();
            assert_eq!((error.status().as_u16(), error.errors()[0].field.as_str()), (422, field), "{query}");
        }
    }
}
