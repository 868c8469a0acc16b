//! What each role does with its messages.

pub mod delete_record;
pub mod health_check;
pub mod insert_record;
pub mod product_search;
pub mod read_database;
pub mod skip;
pub mod tasks;
pub mod user_preferences;
pub mod user_search;
pub mod user_sessions;
pub mod user_tasks;
pub mod welcome_messages;

use contracts::headers::VERSION;
use messaging::{Delivery, Failure, Meta};

use crate::stores::records::{Change, Records};
use crate::stores::unversioned_is_beaten;

/// The version that a message carries. One published by hand has none: it counts as 0, which is applied where nothing
/// newer is, and never beats what the producer accepted.
pub(crate) fn version(meta: &Meta) -> i64 {
    meta.headers.int(VERSION).unwrap_or(0).max(0)
}

/// Applies the changes of records that a batch asks for; what the table cannot hold fails alone.
async fn apply_to_records<M>(
    records: &Records,
    batch: &[Delivery<M>],
    change: impl Fn(&Delivery<M>) -> Change<'_>,
) -> Result<Vec<Result<(), Failure>>, Failure> {
    let changes: Vec<_> = batch.iter().map(change).collect();
    let mut verdicts: Vec<_> = changes.iter().map(Change::check).collect();
    let sound = changes.iter().zip(&verdicts).filter_map(|(change, verdict)| verdict.is_ok().then_some(*change));
    let beaten = records.apply(sound.collect()).await?;
    for (change, verdict) in changes.iter().zip(&mut verdicts) {
        if change.version == 0 && beaten.contains(change.srn) {
            *verdict = Err(unversioned_is_beaten());
        }
    }
    Ok(verdicts)
}
