//! One dead letter: what is known of it, and the copy that goes back to its queue.

use bytes::Bytes;
use lapin::message::Delivery as Raw;
use lapin::types::{AMQPValue, FieldTable};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::client::wire::{Publish, meta};
use crate::{Headers, header};

/// As much of a body as is shown.
const SHOWN_BYTES: usize = 64 * 1024;

/// What the library and the broker have written on the way to the dead letters, and what a redriven message goes without.
const OF_THE_FAILURE: [&str; 6] = [
    header::ATTEMPT,
    header::FIRST_FAILURE,
    header::LAST_ERROR,
    header::DEAD_REASON,
    header::DEAD_AT,
    header::DEAD_QUEUE,
];
const OF_THE_BROKER: [&str; 5] = ["x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count"];

/// A parked message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id, if it has one.
    pub message_id: Option<String>,
    /// Its type, if it is known.
    pub kind: Option<String>,
    /// Why it was parked. What the broker itself has parked says why in one word, such as `delivery_limit`.
    pub reason: Option<String>,
    /// How often handling it was tried.
    pub attempts: u32,
    /// When handling it first failed; none if it was parked at once.
    pub first_failure: Option<OffsetDateTime>,
    /// When it was parked.
    pub parked_at: Option<OffsetDateTime>,
    /// When it was published, to the second.
    pub published_at: Option<OffsetDateTime>,
    /// Ties it to the request that caused it.
    pub correlation_id: Option<String>,
    /// When it was last redriven.
    pub redriven_at: Option<OffsetDateTime>,
    /// By whom.
    pub redriven_by: Option<String>,
    /// All its headers that are texts or numbers.
    pub headers: Headers,
    /// How long its body is.
    pub size: usize,
    /// The body; of one that is longer than 64 KiB only so much.
    pub body: Bytes,
}

impl DeadLetter {
    /// Everything but the body.
    pub(super) fn of(raw: &Raw, queue: &str) -> Self {
        let meta = meta(raw, &super::dead_letter_name(queue));
        let death = Death::of(raw, queue);
        let time = |name| meta.headers.text(name).and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
        let text = |name| meta.headers.text(name).map(str::to_owned);
        let parked_by_its_consumer = text(header::DEAD_REASON);
        Self {
            message_id: meta.message_id.clone(),
            kind: meta.kind.clone().or(death.routed_as),
            attempts: meta.attempt,
            first_failure: time(header::FIRST_FAILURE),
            reason: parked_by_its_consumer.or(death.reason),
            parked_at: time(header::DEAD_AT).or(death.at),
            published_at: meta.published_at,
            correlation_id: meta.correlation_id.clone(),
            redriven_at: time(header::REDRIVEN_AT),
            redriven_by: text(header::REDRIVEN_BY),
            size: raw.data.len(),
            body: Bytes::new(),
            headers: meta.headers,
        }
    }

    pub(super) fn with_body(mut self, raw: &Raw) -> Self {
        self.body = Bytes::copy_from_slice(&raw.data[..raw.data.len().min(SHOWN_BYTES)]);
        self
    }

    /// Whether this run has sent it before, and it is back.
    pub(super) fn was_redriven_in(&self, run: Uuid) -> bool {
        self.headers.text(header::REDRIVE_RUN).is_some_and(|text| text == run.to_string())
    }
}

/// The copy that goes back to its queue: as it first came, but for who sent it.
pub(super) fn copy(raw: &Raw, letter: &DeadLetter, queue: &str, run: Uuid, by: &str) -> Publish {
    let mut copy = Publish::copy(raw, Uuid::now_v7(), "", queue.to_owned());
    let mut headers = FieldTable::default();
    for (name, value) in copy.properties.headers().iter().flat_map(|headers| headers.inner()) {
        if !is_of_the_failure(name.as_str()) {
            headers.insert(name.clone(), value.clone());
        }
    }
    let mut properties = std::mem::take(&mut copy.properties).with_headers(headers);
    if let Some(id) = raw.properties.message_id() {
        properties = properties.with_message_id(id.clone());
    }
    if let (None, Some(kind)) = (properties.kind(), &letter.kind) {
        properties = properties.with_type(kind.as_str().into());
    }
    copy.properties = properties;
    copy.set_header(header::REDRIVEN_AT, OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default());
    copy.set_header(header::REDRIVEN_BY, by);
    copy.set_header(header::REDRIVE_RUN, run.to_string());
    copy
}

fn is_of_the_failure(name: &str) -> bool {
    OF_THE_FAILURE.contains(&name) || OF_THE_BROKER.iter().any(|of_the_broker| name.starts_with(of_the_broker))
}

/// What the broker noted when it parked a message itself.
#[derive(Debug, Default)]
struct Death {
    reason: Option<String>,
    at: Option<OffsetDateTime>,
    /// The routing key by which it had come, which told its type if no property did.
    routed_as: Option<String>,
}

impl Death {
    fn of(raw: &Raw, queue: &str) -> Self {
        let Some(AMQPValue::FieldArray(deaths)) =
            raw.properties.headers().as_ref().and_then(|headers| headers.inner().get("x-death"))
        else {
            return Self::default();
        };
        let of_queue = |death: &&FieldTable| text(death, "queue").as_deref() == Some(queue);
        let tables = deaths.as_slice().iter().filter_map(|death| match death {
            AMQPValue::FieldTable(table) => Some(table),
            _ => None,
        });
        let Some(death) = tables.into_iter().find(of_queue) else { return Self::default() };
        let routed_as = match death.inner().get("routing-keys") {
            Some(AMQPValue::FieldArray(keys)) => keys.as_slice().first().and_then(as_text),
            _ => None,
        };
        Self {
            reason: text(death, "reason"),
            at: match death.inner().get("time") {
                Some(AMQPValue::Timestamp(seconds)) => {
                    i64::try_from(*seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
                }
                _ => None,
            },
            // Straight into the queue, the routing key was the queue's name and says nothing.
            routed_as: routed_as.filter(|_| text(death, "exchange").is_some_and(|exchange| !exchange.is_empty())),
        }
    }
}

fn text(table: &FieldTable, name: &str) -> Option<String> {
    table.inner().get(name).and_then(as_text)
}

fn as_text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parked(headers: &[(&str, AMQPValue)]) -> Raw {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert((*name).into(), value.clone());
        }
        let mut raw = Raw::mock(1, "".into(), "stock.dead".into(), false, b"{}".to_vec());
        raw.properties = raw.properties.with_headers(table);
        raw
    }

    fn string(text: &str) -> AMQPValue {
        AMQPValue::LongString(text.into())
    }

    #[test]
    fn a_redriven_message_is_as_it_first_came() {
        let mut raw = parked(&[
            ("x-version", AMQPValue::LongLongInt(7)),
            ("x-attempt", AMQPValue::LongLongInt(4)),
            ("x-dead-reason", string("never")),
            ("x-first-failure", string("2024-01-01T00:00:00Z")),
            ("x-delivery-count", AMQPValue::LongLongInt(3)),
            ("x-first-death-reason", string("expired")),
            ("traceparent", string("00-1-2-01")),
        ]);
        raw.properties = raw.properties.with_message_id("not-a-uuid".into()).with_type("item.added".into());
        let letter = DeadLetter::of(&raw, "stock");
        assert_eq!((letter.attempts, letter.reason.as_deref()), (5, Some("never")));
        let copy = copy(&raw, &letter, "stock", Uuid::nil(), "ada");
        assert_eq!(copy.message_id(), Some("not-a-uuid"));
        assert_eq!((copy.exchange.as_str(), copy.routing_key.as_str()), ("", "stock"));
        let headers = copy.properties.headers().clone().unwrap();
        let names: Vec<_> = headers.inner().keys().map(|name| name.as_str()).collect();
        assert_eq!(names, ["traceparent", "x-redrive-run", "x-redriven-at", "x-redriven-by", "x-version"]);
        let mut back = raw;
        back.properties = copy.properties;
        assert!(DeadLetter::of(&back, "stock").was_redriven_in(Uuid::nil()));
    }

    #[test]
    fn what_the_broker_parked_itself_is_told_by_its_own_note() {
        let mut death = FieldTable::default();
        death.insert("queue".into(), string("stock"));
        death.insert("reason".into(), string("delivery_limit"));
        death.insert("exchange".into(), string("events"));
        death.insert("time".into(), AMQPValue::Timestamp(60));
        death.insert("routing-keys".into(), AMQPValue::FieldArray(vec![string("item.added")].into()));
        let raw = parked(&[("x-death", AMQPValue::FieldArray(vec![AMQPValue::FieldTable(death)].into()))]);
        let letter = DeadLetter::of(&raw, "stock");
        assert_eq!(letter.reason.as_deref(), Some("delivery_limit"));
        assert_eq!(letter.kind.as_deref(), Some("item.added"));
        assert_eq!(letter.parked_at.map(OffsetDateTime::unix_timestamp), Some(60));
        let copy = copy(&raw, &letter, "stock", Uuid::nil(), "ada");
        assert_eq!(copy.properties.kind().as_ref().map(|kind| kind.as_str()), Some("item.added"));
        assert!(copy.header("x-death").is_none());
    }
}
