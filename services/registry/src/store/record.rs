//! One instance as the store's scripts hand it out.

use contracts::registry::InstanceStatus;
use serde_json::Error;
use time::OffsetDateTime;

/// Instances with their last heartbeats, which are in `healthy` or else in `silent`; the three are in the same order.
pub(super) fn read(
    records: Vec<String>,
    healthy: Vec<Option<i64>>,
    silent: Vec<Option<i64>>,
) -> Result<Vec<InstanceStatus>, Error> {
    let beats = healthy.into_iter().zip(silent);
    records.iter().zip(beats).map(|(record, (healthy, silent))| one(record, healthy, silent)).collect()
}

fn one(record: &str, healthy: Option<i64>, silent: Option<i64>) -> Result<InstanceStatus, Error> {
    let (since, instance) = record.split_once(' ').unwrap_or_default();
    let since = since.parse().unwrap_or_default();
    Ok(InstanceStatus {
        instance: serde_json::from_str(instance)?,
        healthy: healthy.is_some(),
        registered_at: at(since),
        last_heartbeat: at(healthy.or(silent).unwrap_or(since)),
    })
}

/// Milliseconds since 1970, as Redis' clock has them.
fn at(milliseconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
