//! A record of Kafka, made of an event.

use bytes::Bytes;
use messaging::{Delivery, HeaderValue, Meta, header};
use rdkafka::message::{Header, OwnedHeaders};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::event::{self, Event};

/// The header with what identifies the event.
pub(super) const MESSAGE_ID: &str = "message-id";

/// What only says how the event fared on its way here.
const LEFT_OUT: [&str; 6] = [
    header::ATTEMPT,
    header::FIRST_FAILURE,
    header::LAST_ERROR,
    header::DEAD_REASON,
    header::DEAD_AT,
    header::DEAD_QUEUE,
];

/// A record to be written.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) body: Bytes,
    /// Milliseconds since 1970: when it happened.
    pub(super) timestamp: i64,
    headers: Vec<(String, String)>,
}

impl Record {
    pub(super) fn new(delivery: &Delivery<Event>) -> Self {
        let meta = &delivery.meta;
        let id = event::id(meta).into_owned();
        Self {
            key: event::key(delivery),
            body: delivery.payload.0.clone(),
            timestamp: timestamp(event::time(meta), OffsetDateTime::now_utc()),
            headers: headers(&id, meta),
            id,
        }
    }

    pub(super) fn headers(&self) -> OwnedHeaders {
        let headers = OwnedHeaders::new_with_capacity(self.headers.len());
        self.headers.iter().fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
    }
}

/// Kafka refuses times far ahead of its own.
fn timestamp(time: Option<OffsetDateTime>, now: OffsetDateTime) -> i64 {
    let time = time.map_or(now, |time| time.clamp(OffsetDateTime::UNIX_EPOCH, now));
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}

/// What the envelope says, first the AMQP properties and then the headers under their own names.
fn headers(id: &str, meta: &Meta) -> Vec<(String, String)> {
    let published_at = meta.published_at.and_then(|time| time.format(&Rfc3339).ok());
    let properties = [
        (MESSAGE_ID, Some(id)),
        ("type", meta.kind.as_deref()),
        ("app-id", meta.app_id.as_deref()),
        ("correlation-id", meta.correlation_id.as_deref()),
        ("timestamp", published_at.as_deref()),
    ];
    let mut headers: Vec<(String, String)> =
        properties.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    for (name, value) in meta.headers.iter().filter(|(name, _)| !LEFT_OUT.contains(name)) {
        let value = match value {
            HeaderValue::Int(number) => number.to_string(),
            HeaderValue::Text(text) => text.clone(),
        };
        headers.push((name.to_owned(), value));
    }
    headers
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_envelope_is_carried_and_what_befell_it_on_its_way_is_not() {
        let mut meta = Meta {
            id: Uuid::nil(),
            message_id: Some("m".into()),
            kind: Some("user.created".into()),
            app_id: Some("producer".into()),
            correlation_id: Some("c".into()),
            published_at: Some(OffsetDateTime::UNIX_EPOCH),
            ..Meta::default()
        };
        meta.headers.set("x-version", 3);
        meta.headers.set(header::TRACEPARENT, "00-1-2-01");
        meta.headers.set(header::ATTEMPT, 2);
        meta.headers.set(header::DEAD_REASON, "too large");
        let expected = [
            ("message-id", "m"),
            ("type", "user.created"),
            ("app-id", "producer"),
            ("correlation-id", "c"),
            ("timestamp", "1970-01-01T00:00:00Z"),
            ("traceparent", "00-1-2-01"),
            ("x-version", "3"),
        ];
        assert_eq!(headers("m", &meta), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn no_record_is_of_the_future() {
        let now = OffsetDateTime::now_utc();
        let ms = i64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap();
        assert_eq!(timestamp(None, now), ms);
        assert_eq!(timestamp(Some(now + time::Duration::DAY), now), ms);
        assert_eq!(timestamp(Some(now - time::Duration::SECOND), now), ms - 1000);
        assert_eq!(timestamp(Some(OffsetDateTime::UNIX_EPOCH - time::Duration::DAY), now), 0);
    }
}
