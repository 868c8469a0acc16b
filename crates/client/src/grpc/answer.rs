//! An answer, read to its end.

use bytes::Bytes;
use http::Response;
use http::response::Parts;
use http_body_util::Collected;
use tonic::body::Body;
use tonic::{Code, Status};

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) head: Parts,
    pub(super) body: Collected<Bytes>,
}

impl Answer {
    /// The call's status: after the message, or instead of it.
    pub(super) fn code(&self) -> Code {
        let trailers = self.body.trailers().and_then(|trailers| trailers.get(Status::GRPC_STATUS));
        let code = trailers.or_else(|| self.head.headers.get(Status::GRPC_STATUS));
        code.map_or(Code::Unknown, |code| Code::from_bytes(code.as_bytes()))
    }

    /// Whether the instance could not do what it should.
    pub(super) fn is_server_error(&self) -> bool {
        matches!(
            self.code(),
            Code::Unknown
                | Code::Internal
                | Code::Unavailable
                | Code::DeadlineExceeded
                | Code::DataLoss
                | Code::Unimplemented
        )
    }

    pub(super) fn into_response(self) -> Response<Body> {
        Response::from_parts(self.head, Body::new(self.body))
    }
}
