//! An event as the bridge sees it: bytes in an envelope. Nothing of it has to be understood.

use std::borrow::Cow;

use bytes::Bytes;
use messaging::{DecodeError, Delivery, Incoming, Meta, header};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

/// The body of an event, of whatever kind and form.
#[derive(Clone, Debug)]
pub(crate) struct Event(pub(crate) Bytes);

impl Incoming for Event {
    fn decode(_: Option<&str>, body: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self(Bytes::copy_from_slice(body)))
    }
}

/// What identifies an event: its message id. One that has none gets a new one with each delivery.
pub(crate) fn id(meta: &Meta) -> Cow<'_, str> {
    match meta.message_id.as_deref() {
        Some(id) if !id.is_empty() => id.into(),
        _ => meta.id.to_string().into(),
    }
}

/// When it happened: message ids are made with the event, and hold the time to the millisecond.
pub(crate) fn time(meta: &Meta) -> Option<OffsetDateTime> {
    made_at(meta.id).filter(|_| meta.message_id.is_some()).or(meta.published_at)
}

/// The time in an id of version 7.
pub(crate) fn made_at(id: Uuid) -> Option<OffsetDateTime> {
    let (seconds, nanos) = id.get_timestamp().filter(|_| id.get_version_num() == 7)?.to_unix();
    let seconds = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
    seconds.replace_nanosecond(nanos).ok()
}

/// Counts what became of events.
pub(crate) fn settled(sink: &'static str, outcome: &'static str, count: usize) {
    metrics::counter!("bridge_events_total", "sink" => sink, "outcome" => outcome).increment(count as u64);
}

/// The aggregate that it is about, whose events stay in order: what its publisher says, or its body, or just itself.
pub(crate) fn key(delivery: &Delivery<Event>) -> String {
    let meta = &delivery.meta;
    let said = meta.headers.text(header::KEY).map(str::to_owned);
    let said = said.or_else(|| of_body(meta.kind.as_deref(), &delivery.payload.0));
    said.filter(|key| !key.is_empty()).unwrap_or_else(|| id(meta).into_owned())
}

/// Events name what they are about beside others: an order its user, say.
fn of_body(kind: Option<&str>, body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let own = kind.and_then(|kind| kind.split('.').next()).map(|aggregate| format!("{aggregate}_id"));
    let known = ["order_id", "payment_id", "product_id", "owner_id", "user_id", "task_id"];
    let named = own.as_deref().into_iter().chain(known).find_map(|name| text(&body[name]));
    named.or_else(|| one_task(&body))
}

/// A batch of reports about one task is about that task.
fn one_task(body: &Value) -> Option<String> {
    let mut tasks = body["reports"].as_array()?.iter().map(|report| text(&report["task_id"]));
    let first = tasks.next()??;
    tasks.all(|task| task.as_ref() == Some(&first)).then_some(first)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: Option<&str>, body: impl AsRef<[u8]>) -> Delivery<Event> {
        let meta = Meta { id: Uuid::now_v7(), kind: kind.map(str::to_owned), ..Meta::default() };
        Delivery { meta, payload: Event(Bytes::copy_from_slice(body.as_ref())) }
    }

    fn key_of(kind: &str, body: &Value) -> String {
        key(&event(Some(kind), body.to_string()))
    }

    #[test]
    fn an_event_is_keyed_by_its_own_aggregate_and_not_by_others_that_it_names() {
        let body = json!({ "user_id": "u", "owner_id": "w", "order_id": "o", "product_id": "p" });
        for (kind, expected) in [
            ("user.created", "u"),
            ("order.created", "o"),
            ("owner.updated", "w"),
            ("product.deleted", "p"),
            ("payment.completed", "o"),
        ] {
            assert_eq!(key_of(kind, &body), expected, "{kind}");
        }
        assert_eq!(key_of("invoice.sent", &json!({ "invoice_id": 7, "user_id": "u" })), "7");
        assert_eq!(key_of("invoice.sent", &json!({ "user_id": "u" })), "u");
    }

    #[test]
    fn what_the_publisher_says_comes_first() {
        let mut event = event(Some("user.created"), r#"{"user_id":"u"}"#);
        event.meta.headers.set(header::KEY, "k");
        assert_eq!(key(&event), "k");
    }

    #[test]
    fn reports_about_one_task_are_keyed_by_it_and_others_by_themselves() {
        let reports = |tasks: &[&str]| {
            json!({ "reports": tasks.iter().map(|task| json!({ "task_id": task })).collect::<Vec<_>>() }).to_string()
        };
        assert_eq!(key(&event(Some("task.progressed"), reports(&["t", "t"]))), "t");
        for body in [reports(&["t", "s"]), reports(&[]), "not JSON".to_owned(), "[]".to_owned(), "\u{0}".to_owned()] {
            let event = event(None, body);
            assert_eq!(key(&event), event.meta.id.to_string());
        }
    }

    #[test]
    fn an_id_tells_when_it_was_made() {
        let now = OffsetDateTime::now_utc();
        let made = made_at(Uuid::now_v7()).unwrap();
        assert!((made - now).abs() < time::Duration::seconds(5), "{made}");
        assert_eq!(made_at(Uuid::nil()), None);
        assert_eq!(made_at(Uuid::max()), None);
    }

    #[test]
    fn the_time_of_an_event_without_an_id_is_when_it_was_published() {
        let published_at = Some(OffsetDateTime::UNIX_EPOCH);
        let meta = Meta { id: Uuid::now_v7(), published_at, ..Meta::default() };
        assert_eq!(time(&meta), published_at);
        assert_eq!(time(&Meta { message_id: Some("seven".into()), id: Uuid::nil(), ..meta }), published_at);
    }
}
