//! `If-Match`: a change that is meant for one version of a user.

use axum::extract::FromRequestParts;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use std::convert::Infallible;

/// The versions that a change is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IfMatch {
    /// `*`: whichever there is.
    Any,
    /// One of these. Tags that are none of ours are left out, and so match nothing.
    Versions(Vec<i64>),
}

impl IfMatch {
    /// Whether the change is meant for this version.
    pub(crate) fn holds(&self, version: i64) -> bool {
        match self {
            Self::Any => true,
            Self::Versions(versions) => versions.contains(&version),
        }
    }

    fn parse<'a>(values: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut tags = values.flat_map(|value| value.split(',')).map(str::trim).peekable();
        tags.peek()?;
        let tags: Vec<&str> = tags.collect();
        if tags.contains(&"*") {
            return Some(Self::Any);
        }
        Some(Self::Versions(tags.into_iter().filter_map(version).collect()))
    }
}

/// The version of an entity tag. A weak one never matches here (RFC 9110, 13.1.1).
fn version(tag: &str) -> Option<i64> {
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// The entity tag of a version.
pub(crate) fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// The precondition of a request, if it has one.
#[derive(Clone, Debug)]
pub(crate) struct Precondition(pub(crate) Option<IfMatch>);

impl<S: Sync> FromRequestParts<S> for Precondition {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // What is not text matches nothing, which must not become no condition at all.
        let values = parts.headers.get_all(IF_MATCH).iter().map(|value| value.to_str().unwrap_or_default());
        Ok(Self(IfMatch::parse(values)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(values: &[&str], version: i64) -> Option<bool> {
        IfMatch::parse(values.iter().copied()).map(|condition| condition.holds(version))
    }

    #[test]
    fn a_condition_names_versions_or_any() {
        assert_eq!(holds(&[], 3), None);
        assert_eq!(holds(&["\"3\""], 3), Some(true));
        assert_eq!(holds(&["\"2\", \"3\""], 3), Some(true));
        assert_eq!(holds(&["\"2\"", "\"3\""], 3), Some(true));
        assert_eq!(holds(&["*"], 3), Some(true));
        assert_eq!(holds(&["\"2\""], 3), Some(false));
    }

    #[test]
    fn what_is_no_tag_of_ours_matches_nothing() {
        for value in ["", "3", "W/\"3\"", "\"three\"", "\"3"] {
            assert_eq!(holds(&[value], 3), Some(false), "{value}");
        }
    }
}
