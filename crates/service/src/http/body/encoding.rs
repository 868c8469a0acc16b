//! Which compression a body comes with.

use axum::http::{HeaderMap, header};

use super::Broken;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Encoding {
    /// As an answer of 415 names them.
    pub(super) const ACCEPTED: &str = "gzip, deflate, br, zstd";
}

/// The compression that is named, or `None` for a body as it is.
///
/// More than one, each around the next, is refused like an unknown one: nobody needs it but for bombs.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<Encoding>, Broken> {
    let mut found = None;
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let names = value.to_str().map_err(|_| Broken::UnknownEncoding)?;
        for name in names.split(',').map(|name| name.trim().to_ascii_lowercase()) {
            let encoding = match name.as_str() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Encoding::Gzip,
                "deflate" => Encoding::Deflate,
                "br" => Encoding::Brotli,
                "zstd" => Encoding::Zstd,
                _ => return Err(Broken::UnknownEncoding),
            };
            if found.replace(encoding).is_some() {
                return Err(Broken::UnknownEncoding);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn named(values: &[&str]) -> Result<Option<Encoding>, Broken> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_ENCODING, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        of(&headers)
    }

    #[test]
    fn one_encoding_is_read() {
        for (name, encoding) in [
            ("gzip", Encoding::Gzip),
            ("X-GZip", Encoding::Gzip),
            ("deflate", Encoding::Deflate),
            (" br", Encoding::Brotli),
            ("identity, zstd", Encoding::Zstd),
        ] {
            assert_eq!(named(&[name]), Ok(Some(encoding)), "{name}");
        }
        for none in [&[][..], &[""], &["identity"], &["identity", "Identity"]] {
            assert_eq!(named(none), Ok(None), "{none:?}");
        }
    }

    #[test]
    fn unknown_and_nested_encodings_are_refused() {
        for names in [&["compress"][..], &["gzip, gzip"], &["gzip", "br"], &["gzip;q=1"], &["gzip\u{e9}"], &["é"]] {
            assert_eq!(named(names), Err(Broken::UnknownEncoding), "{names:?}");
        }
    }
}
