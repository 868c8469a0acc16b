//! `ETag` and `If-Match`: a change that is meant for one version.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::{ApiError, ApiResult};

/// The entity tag of a version.
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// The versions that a change is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Whichever there is.
    Any,
    /// One of these. A tag that is none of ours names no version.
    Versions(Vec<i64>),
}

impl IfMatch {
    fn of<'a>(values: impl Iterator<Item = &'a str>) -> Option<Self> {
        let tags: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        match tags.as_slice() {
            [] => None,
            tags if tags.contains(&"*") => Some(Self::Any),
            tags => Some(Self::Versions(tags.iter().copied().filter_map(version).collect())),
        }
    }
}

/// Only strong tags: a weak one never matches here (RFC 9110, 13.1.1).
fn version(tag: &str) -> Option<i64> {
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// The condition of a request, if it has one; as an extractor it never fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition(pub Option<IfMatch>);

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only documents what the extractor reads")]
struct Described {
    /// The ETag of the version that the change is meant for; another one is answered with 412.
    #[param(rename = "If-Match", required = false, example = "\"1\"")]
    if_match: String,
}

impl IntoParams for Precondition {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        Described::into_params(place)
    }
}

impl Precondition {
    /// Whether a change is meant for this version.
    pub fn holds(&self, version: i64) -> bool {
        match &self.0 {
            Some(IfMatch::Versions(versions)) => versions.contains(&version),
            Some(IfMatch::Any) | None => true,
        }
    }

    /// Lets a change of this version pass, if it is meant for it.
    ///
    /// # Errors
    /// 412 if it is not.
    pub fn check(&self, version: i64) -> ApiResult<()> {
        if self.holds(version) {
            return Ok(());
        }
        Err(ApiError::precondition_failed(format!("the present version is {version}, not that of If-Match")))
    }
}

impl<S: Sync> FromRequestParts<S> for Precondition {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // What is not text is still a condition, which nothing meets.
        let values = parts.headers.get_all(IF_MATCH).iter().map(|value| value.to_str().unwrap_or_default());
        Ok(Self(IfMatch::of(values)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(values: &[&str]) -> bool {
        Precondition(IfMatch::of(values.iter().copied())).holds(3)
    }

    #[test]
    fn a_change_is_meant_for_the_versions_it_names() {
        for values in [&[][..], &["*"], &["\"3\""], &["\"2\", \"3\""], &["\"2\"", "\"3\""]] {
            assert!(passes(values), "{values:?}");
        }
        for values in [&["\"2\""][..], &[""], &["3"], &["W/\"3\""], &["\"three\""], &["\"3"]] {
            assert!(!passes(values), "{values:?}");
        }
    }
}
