//! What a request's headers say of an image.

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use service::{ApiError, ApiResult};

use super::Kind;

/// What an upload says of its body, whose size is known if it has a `Content-Length`.
///
/// # Errors
/// 415 if it is no image, and 411 if its size is not known: the storage wants to know it first.
pub(crate) fn announced(headers: &HeaderMap, size: Option<u64>) -> ApiResult<(Kind, u64)> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = Kind::of_type(content_type);
    let kind = kind.ok_or_else(|| {
        ApiError::unsupported_media_type("`Content-Type` must be one of image/png, image/jpeg and image/webp")
    })?;
    if headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(ApiError::unsupported_media_type("images are taken as they are, without `Content-Encoding`"));
    }
    let size = size.ok_or_else(|| {
        ApiError::new(StatusCode::LENGTH_REQUIRED, "the length of an image is said in `Content-Length`")
    })?;
    Ok((kind, size))
}

/// Whether a client has this image already.
pub(crate) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == "*" || tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')) == Some(etag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_any_of_its_tags() {
        let known = |value: &str| is_known(&HeaderMap::from_iter([(IF_NONE_MATCH, value.parse().unwrap())]), "abc");
        for value in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert!(known(value), "{value}");
        }
        for value in ["", "abc", "\"ab\"", "\"abc", "\"x\""] {
            assert!(!known(value), "{value}");
        }
    }
}
