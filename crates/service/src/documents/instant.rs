//! Times as MongoDB keeps them: to the millisecond.

use bson::DateTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;

/// The present time, as it will be read again.
pub fn now() -> OffsetDateTime {
    from_bson(DateTime::now())
}

/// A time as MongoDB keeps it.
pub fn to_bson(at: OffsetDateTime) -> DateTime {
    let millis = at.unix_timestamp_nanos().div_euclid(1_000_000);
    DateTime::from_millis(i64::try_from(millis).expect("years with four digits are few milliseconds"))
}

/// A time that MongoDB has kept. What lies beyond the years with four digits becomes the first or last of them.
pub fn from_bson(at: DateTime) -> OffsetDateTime {
    let nanos = i128::from(at.timestamp_millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(if nanos < 0 {
        OffsetDateTime::new_utc(time::Date::MIN, time::Time::MIDNIGHT)
    } else {
        OffsetDateTime::new_utc(time::Date::MAX, time::Time::MIDNIGHT)
    })
}

/// For serde's `with`.
pub fn serialize<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    to_bson(*at).serialize(serializer)
}

/// For serde's `with`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OffsetDateTime, D::Error> {
    DateTime::deserialize(deserializer).map(from_bson)
}

/// Times that may not be there.
pub mod option {
    use super::{DateTime, Deserialize, Deserializer, OffsetDateTime, Serialize, Serializer, from_bson, to_bson};

    /// For serde's `with`.
    pub fn serialize<S: Serializer>(at: &Option<OffsetDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
        at.map(to_bson).serialize(serializer)
    }

    /// For serde's `with`.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<OffsetDateTime>, D::Error> {
        Ok(Option::<DateTime>::deserialize(deserializer)?.map(from_bson))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_kept_to_the_millisecond_before_and_after_1970() {
        for (nanos, kept) in
            [(1_999_999, 1_000_000), (-1, -1_000_000), (1_700_000_000_123_456_789, 1_700_000_000_123_000_000)]
        {
            let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap();
            assert_eq!(from_bson(to_bson(at)).unix_timestamp_nanos(), kept);
        }
    }

    #[test]
    fn what_is_no_year_of_ours_is_still_a_time() {
        assert!(from_bson(DateTime::MAX) > now() && from_bson(DateTime::MIN) < now());
    }
}
