//! Paths that every server reads alike. A path that one server may read otherwise than the next could be let in as one
//! thing and be served as another, so it is refused.

use http::Uri;
use http::uri::{InvalidUri, PathAndQuery};

/// Whether a path means the same to whoever reads it: every segment, decoded, is one segment and no step elsewhere.
pub(crate) fn is_unambiguous(path: &str) -> bool {
    let Some(segments) = path.strip_prefix('/') else { return false };
    let mut segments = segments.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        if !(is_plain(segment.as_bytes()) || segment.is_empty() && is_last) {
            return false;
        }
    }
    true
}

fn is_plain(segment: &[u8]) -> bool {
    let (mut rest, mut length, mut dots) = (segment, 0, 0);
    while let [first, after @ ..] = rest {
        let byte = if *first == b'%' {
            let [high, low, after @ ..] = after else { return false };
            let (Some(high), Some(low)) = (hex(*high), hex(*low)) else { return false };
            rest = after;
            high << 4 | low
        } else {
            rest = after;
            *first
        };
        if matches!(byte, b'/' | b'\\') || byte.is_ascii_control() {
            return false;
        }
        length += 1;
        dots += usize::from(byte == b'.');
    }
    length > 0 && !(dots == length && length <= 2)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The path and query that a service gets: `upstream` takes the place of `public`, which the path begins with.
pub(crate) fn rewritten(uri: &Uri, public: &str, upstream: &str) -> Result<Uri, InvalidUri> {
    let whole = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let rest = whole.get(public.len()..).unwrap_or_default();
    let mut path = String::with_capacity(upstream.len() + rest.len());
    path.push_str(upstream);
    path.push_str(rest);
    Ok(Uri::from(PathAndQuery::try_from(path)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_paths_are_unambiguous() {
        for path in ["/", "/api/users", "/api/users/", "/a/b%20c", "/a/%C3%A9", "/a/...", "/a/.x", "/a/x..", "/a/%2525"]
        {
            assert!(is_unambiguous(path), "{path}");
        }
    }

    #[test]
    fn steps_slashes_and_broken_escapes_are_not() {
        for path in [
            "",
            "*",
            "a",
            "//",
            "/a//b",
            "/a/../b",
            "/a/..",
            "/a/.",
            "/a/%2e%2E/b",
            "/a/.%2e",
            "/a/%2e",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00b",
            "/a%0ab",
            "/a%7f",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%+1",
        ] {
            assert!(!is_unambiguous(path), "{path}");
        }
    }

    #[test]
    fn the_beginning_is_replaced_and_the_query_stays() {
        for (from, public, upstream, to) in [
            ("/api/users", "/api/users", "/users", "/users"),
            ("/api/users?page=2", "/api/users", "/users", "/users?page=2"),
            ("http://elsewhere/api/owners/1/x?q=%2F", "/api/owners", "/v1/owners", "/v1/owners/1/x?q=%2F"),
        ] {
            let uri = rewritten(&from.parse().unwrap(), public, upstream).unwrap();
            assert_eq!(uri.to_string(), to);
        }
    }

    proptest! {
        /// What a server does that decodes a path and then resolves its steps.
        #[test]
        fn no_unambiguous_path_leaves_its_family(rest in "([a-z./\\\\]|%2[eEfF]|%5[cC]|%25){0,12}") {
            let path = format!("/api/products/{rest}");
            if is_unambiguous(&path) {
                let decoded = rest.replace("%2e", ".").replace("%2E", ".").replace("%2f", "/").replace("%2F", "/")
                    .replace("%5c", "/").replace("%5C", "/").replace('\\', "/");
                prop_assert!(decoded.split('/').all(|segment| segment != "." && segment != ".."), "{path}");
                prop_assert_eq!(decoded.matches('/').count(), rest.matches('/').count());
            }
        }
    }
}
