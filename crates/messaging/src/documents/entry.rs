//! An entry: an outgoing message as it lies in its document.

use std::time::Duration;

use bson::{Bson, DateTime};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Headers, Outgoing};

/// How long an entry is left to the process that wrote it.
const GRACE: Duration = Duration::from_secs(2);

/// An outgoing message as it lies in its document, in the array `outbox`.
///
/// It is a part of the document's type (`outbox: Vec<Entry>`), or is pushed as [`Bson`]; both have the same form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    // As a text in every serializer's form: the same id is looked for when the entry is removed.
    #[serde(with = "uuid::serde::hyphenated")]
    id: Uuid,
    exchange: String,
    routing_key: String,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiration_ms: Option<i64>,
    headers: Headers,
    body: String,
    /// When it was made.
    at: DateTime,
    /// From when on any process sends it.
    due: DateTime,
    /// How often the broker would not have it.
    #[serde(default)]
    tries: i32,
}

impl Entry {
    /// An entry with this message, to which it adds the trace context of the current span.
    ///
    /// # Panics
    /// If the message's body is not text; it is JSON, as the body of every [`Outgoing`].
    pub fn new(message: Outgoing) -> Self {
        let message = message.with_current_trace();
        let body = String::from_utf8(message.body.into()).expect("a body is JSON, which is text");
        let at = DateTime::now();
        Self {
            id: message.id,
            exchange: message.exchange,
            routing_key: message.routing_key,
            kind: message.kind,
            correlation_id: message.correlation_id,
            reply_to: message.reply_to,
            expiration_ms: message.expiration.map(|wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)),
            headers: message.headers,
            body,
            at,
            due: at.saturating_add_duration(GRACE),
            tries: 0,
        }
    }

    /// The message's id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// The message.
    pub fn outgoing(&self) -> Outgoing {
        Outgoing {
            id: self.id,
            exchange: self.exchange.clone(),
            routing_key: self.routing_key.clone(),
            kind: self.kind.clone(),
            correlation_id: self.correlation_id.clone(),
            reply_to: self.reply_to.clone(),
            expiration: self.expiration_ms.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0))),
            headers: self.headers.clone(),
            body: Bytes::from(self.body.clone()),
        }
    }

    pub(super) fn due(&self) -> DateTime {
        self.due
    }

    pub(super) fn tries(&self) -> u32 {
        u32::try_from(self.tries).unwrap_or(0)
    }

    pub(super) fn bytes(&self) -> usize {
        self.body.len()
    }
}

impl From<Outgoing> for Entry {
    fn from(message: Outgoing) -> Self {
        Self::new(message)
    }
}

impl From<Entry> for Bson {
    fn from(entry: Entry) -> Self {
        bson::serialize_to_bson(&entry).expect("numbers, texts and times always have a BSON form")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Outgoing {
        let mut message = Outgoing::raw("events", "shop.opened", "shop.opened", r#"{"name":"Ω"}"#)
            .with_header("x-version", 7)
            .with_header("origin", "a test")
            .with_correlation_id("abc");
        message.reply_to = Some("answers".to_owned());
        message.expiration = Some(Duration::from_millis(1500));
        message
    }

    #[test]
    fn a_message_comes_out_as_it_went_in() {
        let entry = Entry::new(message());
        assert_eq!(entry.outgoing(), Outgoing { id: entry.id(), ..message() });
        let read: Entry = bson::deserialize_from_bson(Bson::from(entry.clone())).unwrap();
        assert_eq!(read, entry);
    }

    /// The driver serializes typed documents in another way than a `$push` does.
    #[test]
    fn an_entry_has_one_form_whichever_way_it_is_written() {
        #[derive(Serialize)]
        struct Shop {
            outbox: Vec<Entry>,
        }
        let entry = Entry::new(message());
        let typed = bson::serialize_to_vec(&Shop { outbox: vec![entry.clone()] }).unwrap();
        let pushed = bson::doc! { "outbox": [entry] };
        assert_eq!(bson::Document::from_reader(typed.as_slice()).unwrap(), pushed);
        let first = pushed.get_array("outbox").unwrap()[0].as_document().unwrap();
        assert!(first.get_str("id").is_ok() && first.get_datetime("due").is_ok(), "{first} is not searchable");
    }
}
