//! Between generated types, whose every field may be absent or wrong, and those of `contracts`, which cannot be.

mod money;
mod order;
mod owner;
mod product;

use prost_types::Timestamp;
use time::OffsetDateTime;
use tonic::Status;
use uuid::Uuid;

/// A field of a request or an answer is absent, or is not what it must be.
///
/// As a [`Status`] it is INVALID_ARGUMENT, which is what a request deserves; a caller that meets it in an answer says what it
/// makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {problem}")]
pub struct Malformed {
    /// The field's name.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl From<Malformed> for Status {
    fn from(malformed: Malformed) -> Self {
        Self::invalid_argument(malformed.to_string())
    }
}

/// The id in a field.
pub fn uuid(field: &'static str, text: &str) -> Result<Uuid, Malformed> {
    Uuid::try_parse(text).map_err(|_| Malformed { field, problem: "is not a UUID" })
}

/// The message in a field that must be there.
pub fn required<T>(field: &'static str, value: Option<T>) -> Result<T, Malformed> {
    value.ok_or(Malformed { field, problem: "is absent" })
}

/// A time as gRPC carries it.
pub fn timestamp(at: OffsetDateTime) -> Timestamp {
    let nanos = i32::try_from(at.nanosecond()).expect("a second has fewer nanoseconds than an i32 holds");
    Timestamp { seconds: at.unix_timestamp(), nanos }
}

/// The time in a field that must be there.
pub fn instant(field: &'static str, at: Option<Timestamp>) -> Result<OffsetDateTime, Malformed> {
    let Timestamp { seconds, nanos } = required(field, at)?;
    let second = OffsetDateTime::from_unix_timestamp(seconds).ok();
    second
        .zip(u32::try_from(nanos).ok())
        .and_then(|(second, nanos)| second.replace_nanosecond(nanos).ok())
        .ok_or(Malformed { field, problem: "is not a time" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_the_way_to_its_nanosecond_before_and_after_1970() {
        for nanos in [0, 1, 999_999_999, 1_700_000_000_123_456_789, -1, -1_500_000_000] {
            let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap();
            assert_eq!(instant("at", Some(timestamp(at))), Ok(at));
        }
    }

    #[test]
    fn what_is_not_a_time_is_named() {
        let problem = |seconds, nanos| instant("at", Some(Timestamp { seconds, nanos })).unwrap_err().to_string();
        assert_eq!(problem(i64::MAX, 0), "`at` is not a time");
        assert_eq!(problem(0, -1), "`at` is not a time");
        assert_eq!(problem(0, 1_000_000_000), "`at` is not a time");
        assert_eq!(instant("at", None).unwrap_err().to_string(), "`at` is absent");
    }

    #[test]
    fn a_malformed_request_is_an_invalid_argument() {
        let status = Status::from(uuid("order_id", "7").unwrap_err());
        assert_eq!((status.code(), status.message()), (tonic::Code::InvalidArgument, "`order_id` is not a UUID"));
    }
}
