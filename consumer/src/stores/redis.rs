//! Redis: what its errors mean for a message.

use messaging::Failure;
use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::Store;

/// What an error of Redis means for the message.
pub fn failure(error: &RedisError) -> Failure {
    match error.kind() {
        ErrorKind::Io
        | ErrorKind::AuthenticationFailed
        | ErrorKind::ClusterConnectionNotFound
        | ErrorKind::MasterNameNotFoundBySentinel
        | ErrorKind::NoValidReplicasFoundBySentinel
        | ErrorKind::Server(
            ServerErrorKind::BusyLoading
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::TryAgain
            | ServerErrorKind::NoPerm,
        ) => Store::Redis.unavailable(error),
        _ if error.is_io_error() || error.is_timeout() || error.is_connection_dropped() => {
            Store::Redis.unavailable(error)
        }
        // Errors by their code that the library has no kind for: cannot persist, out of memory, no password given, too
        // few replicas, busy with a script.
        _ if error.code().is_some_and(|code| matches!(code, "MISCONF" | "OOM" | "NOAUTH" | "NOREPLICAS" | "BUSY")) => {
            Store::Redis.unavailable(error)
        }
        _ => Store::Redis.retry(error),
    }
}

/// Whether the server does not have a script that it was asked to run by its hash.
pub(super) fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

#[cfg(test)]
mod tests {
    use messaging::FailureKind;

    use super::*;

    #[test]
    fn a_server_that_is_not_ready_is_not_the_messages_fault() {
        let refused = RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        let loading = RedisError::from((ErrorKind::Server(ServerErrorKind::BusyLoading), "loading"));
        for error in [refused, loading] {
            assert_eq!(failure(&error).kind, FailureKind::Unavailable, "{error}");
        }
        let other = RedisError::from((ErrorKind::Server(ServerErrorKind::ResponseError), "what"));
        assert_eq!(failure(&other).kind, FailureKind::Retry);
    }
}
