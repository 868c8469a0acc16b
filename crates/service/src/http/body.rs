//! Request bodies within limits: a size, as sent and decompressed, and times for the client to send them.

mod broken;
mod decoded;
mod encoding;
mod limited;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header;
use http_body_util::{BodyExt, Collected};

use super::HttpSettings;
use super::error::ApiError;
use broken::Broken;
use decoded::Decoded;
use encoding::Encoding;
use limited::Limited;

/// Puts a request's body, if it has one, under its limits, and decompresses it as it is read.
///
/// Nothing is refused here: who does not get as far as to read the body need not care for what is wrong with it.
pub(super) fn limit(mut request: Request, settings: &HttpSettings) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    let encoding = if settings.decompress { encoding::of(request.headers()) } else { Ok(None) };
    if let Ok(Some(_)) = encoding {
        // They describe the body as it was sent.
        request.headers_mut().remove(header::CONTENT_ENCODING);
        request.headers_mut().remove(header::CONTENT_LENGTH);
    }
    let expects = request.headers().contains_key(header::EXPECT);
    request.map(|body| {
        let mut limited = Limited::new(body, expects, settings);
        match encoding {
            Ok(Some(encoding)) => Body::new(Decoded::new(limited, encoding, settings.body_limit)),
            Ok(None) => Body::new(limited),
            Err(unknown) => {
                limited.refuse(unknown);
                Body::new(limited)
            }
        }
    })
}

/// Reads a whole body that is under its limits.
pub(super) async fn read(body: Body) -> Result<Bytes, ApiError> {
    body.collect().await.map(Collected::to_bytes).map_err(|error| ApiError::of_body(&error))
}

impl ApiError {
    /// What is wrong with a request's body that could not be read to its end.
    pub fn of_body(error: &axum::Error) -> Self {
        let Some(broken) = Broken::find(error) else {
            return Self::bad_request("the body ended before it was complete");
        };
        match broken {
            Broken::TooLarge => Self::payload_too_large("the body is larger than this service accepts"),
            Broken::TooSlow => Self::request_timeout("the body did not arrive in time"),
            Broken::Corrupt => Self::bad_request("the body cannot be decompressed"),
            Broken::UnknownEncoding => Self::unsupported_encoding(
                "the body is compressed in a way that is not read here; one of `Accept-Encoding` is, once",
                Encoding::ACCEPTED,
            ),
        }
    }
}
