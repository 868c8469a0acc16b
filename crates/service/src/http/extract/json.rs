//! A JSON body.

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{FieldError, body, field_error, media_type};
use crate::http::error::ApiError;

/// A JSON body, as an extractor and as a response.
///
/// What is not JSON is answered with 400, a wrong shape with 422 and the field, another media type with 415.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if !media_type(request.headers()).is_some_and(|kind| is_json(&kind)) {
            return Err(ApiError::unsupported_media_type("send the body as application/json"));
        }
        parse(&body::read(request.into_body()).await?).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response(),
            Err(error) => ApiError::internal(anyhow::Error::new(error).context("writing the response")).into_response(),
        }
    }
}

pub(super) fn is_json(kind: &str) -> bool {
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    match serde_json::from_slice(body) {
        // serde takes a list for the fields of an object, in the order in which they happen to stand in our code.
        Ok(_) if body.trim_ascii_start().starts_with(b"[") => {
            Err(ApiError::unprocessable([FieldError::new("body", "must be an object, and not a list")]))
        }
        Ok(parsed) => Ok(parsed),
        // Only now, since following the path costs time.
        Err(error) if error.is_data() || is_valid(body) => Err(ApiError::unprocessable([locate::<T>(body, &error)])),
        // serde_json stops at 128 levels, long before the stack ends.
        Err(error) => Err(ApiError::bad_request(format!("the body is not valid JSON: {error}"))),
    }
}

/// A `null` where there must be one of several words is a wrong shape, but serde_json says wrong syntax.
fn is_valid(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(body).is_ok()
}

fn locate<T: DeserializeOwned>(body: &[u8], error: &serde_json::Error) -> FieldError {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(error) => field_error(&error),
        Ok(_) => FieldError::new("body", error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[expect(dead_code, reason = "only its absence matters")]
        lines: Vec<Line>,
        #[expect(dead_code, reason = "only its shape matters")]
        #[serde(default)]
        unit: Unit,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Unit {
        #[default]
        Piece,
    }

    #[derive(Debug, Deserialize)]
    struct Line {
        #[expect(dead_code, reason = "only its shape matters")]
        amount: u32,
    }

    fn wrong_field(body: &str) -> (String, String) {
        let error = parse::<Order>(body.as_bytes()).unwrap_err();
        assert_eq!(error.status(), 422, "{body}");
        let field = &error.errors()[0];
        (field.field.clone(), field.detail.clone())
    }

    #[test]
    fn a_wrong_shape_names_its_field() {
        assert_eq!(wrong_field(r#"{"lines":[{"amount":1},{"amount":-1}]}"#).0, "lines[1].amount");
        assert_eq!(wrong_field(r#"{"lines":[{}]}"#), ("lines[0].amount".into(), "missing field `amount`".into()));
        assert_eq!(wrong_field("{}").0, "lines");
        assert_eq!(wrong_field(r#"{"lines":[],"liens":[]}"#).0, "liens");
        assert_eq!(wrong_field("7").0, "body");
        assert_eq!(wrong_field(" [[]]"), ("body".into(), "must be an object, and not a list".into()));
        assert_eq!(wrong_field(r#"{"lines":[],"unit":null}"#).0, "unit");
    }

    #[test]
    fn what_is_not_json_names_the_place() {
        for body in ["", "{", "{\"lines\": [],}", "\u{feff}{}", "{\"lines\":[]} x"] {
            let error = parse::<Order>(body.as_bytes()).unwrap_err();
            assert_eq!(error.status(), 400, "{body}");
            assert!(error.to_string().contains("line 1 column"), "{error}");
        }
    }

    #[test]
    fn deep_nesting_and_huge_numbers_are_refused() {
        for body in ["[".repeat(1_000_000), "{\"a\":".repeat(1_000_000), "1e999".to_owned()] {
            let error = parse::<serde_json::Value>(body.as_bytes()).unwrap_err();
            assert_eq!(error.status(), 400);
        }
        let ignored = format!("{{\"ignored\":{}", "[".repeat(1_000_000));
        assert_eq!(parse::<Line>(ignored.as_bytes()).unwrap_err().status(), 400);
    }
}
