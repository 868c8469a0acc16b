//! What a relay tells about its collection. Each process tells of all entries, not only of its own.

use bson::{DateTime, Document};
use metrics::{counter, gauge};

use super::Waiting;
use crate::Outcome;

/// What the broker may have said of an entry that is still there.
const REASONS: [&str; 3] = ["unroutable", "nacked", "refused"];

pub(super) fn published(collection: &str, answered: &[(Waiting, Outcome)]) {
    let confirmed = answered.iter().filter(|(_, outcome)| *outcome == Outcome::Confirmed).count();
    counter!("document_outbox_published_total", "collection" => collection.to_owned()).increment(confirmed as u64);
}

/// Tells what the documents hold.
pub(super) fn waiting(collection: &str, counts: &[Document]) {
    gauge!("document_outbox_backlog", "collection" => collection.to_owned()).set(all(counts));
    for reason in REASONS {
        let failed = counts.iter().find(|count| count.get_str("_id").is_ok_and(|found| found == reason));
        gauge!("document_outbox_stuck", "collection" => collection.to_owned(), "reason" => reason)
            .set(failed.map_or(0.0, entries));
    }
    let oldest = counts.iter().filter_map(|count| count.get_datetime("oldest").ok()).min();
    let age = oldest.map_or(0.0, |oldest| DateTime::now().saturating_duration_since(*oldest).as_secs_f64());
    gauge!("document_outbox_oldest_seconds", "collection" => collection.to_owned()).set(age);
}

fn entries(count: &Document) -> f64 {
    match count.get("entries") {
        Some(bson::Bson::Int32(entries)) => f64::from(*entries),
        _ => 0.0,
    }
}

/// From zero, because the sum of no floats is `-0`.
fn all(counts: &[Document]) -> f64 {
    counts.iter().map(entries).fold(0.0, |all, some| all + some)
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn an_empty_backlog_is_zero_without_a_sign() {
        assert_eq!(all(&[]).to_string(), "0");
        assert_eq!(all(&[doc! { "entries": 2 }, doc! { "_id": "nacked", "entries": 3 }, doc! {}]), 5.0);
    }
}
