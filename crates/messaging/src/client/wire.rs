//! From and to AMQP's forms.

use std::time::SystemTime;

use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, PublisherConfirm};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{HeaderValue, Headers, Meta, Outgoing, header};

const PERSISTENT: u8 = 2;

/// The beginning of every direct reply-to address, and the name that a caller consumes from.
pub(crate) const DIRECT_REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// What a publishing channel sends.
#[derive(Clone, Debug)]
pub(crate) struct Publish {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    pub(crate) properties: BasicProperties,
    pub(crate) body: bytes::Bytes,
}

impl Publish {
    /// Fails when a name is longer than AMQP's 255 bytes.
    pub(crate) fn new(message: Outgoing, app: &str) -> Result<Self, String> {
        let mut properties = BasicProperties::default()
            .with_message_id(short(message.id.to_string())?)
            .with_type(short(message.kind)?)
            .with_timestamp(unix_seconds())
            .with_app_id(short(app)?)
            .with_content_type("application/json".into())
            .with_delivery_mode(PERSISTENT)
            .with_headers(to_table(&message.headers)?);
        if let Some(id) = message.correlation_id {
            properties = properties.with_correlation_id(short(id)?);
        }
        if let Some(queue) = message.reply_to {
            properties = properties.with_reply_to(short(queue)?);
        }
        if let Some(expiration) = message.expiration {
            properties = properties.with_expiration(expiration.as_millis().to_string().into());
        }
        Ok(Self {
            exchange: short(message.exchange)?,
            routing_key: short(message.routing_key)?,
            properties,
            body: message.body,
        })
    }

    /// A copy of a delivered message, for a delay queue or a dead-letter queue.
    pub(crate) fn copy(delivery: &lapin::message::Delivery, id: Uuid, exchange: &str, routing_key: String) -> Self {
        Self {
            exchange: exchange.into(),
            routing_key: routing_key.into(),
            properties: kept(&delivery.properties).with_message_id(id.to_string().into()),
            body: delivery.data.clone().into(),
        }
    }

    /// Sends it over a channel that confirms. The broker returns whatever is sent to a direct reply-to address as unroutable,
    /// and delivers it all the same; everything else is mandatory.
    pub(crate) async fn send(&self, channel: &Channel) -> lapin::Result<PublisherConfirm> {
        let mandatory = !self.routing_key.as_str().starts_with(DIRECT_REPLY_TO);
        let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
        let (exchange, routing_key) = (self.exchange.clone(), self.routing_key.clone());
        channel.basic_publish(exchange, routing_key, options, &self.body, self.properties.clone()).await
    }

    pub(crate) fn set_header(&mut self, name: &str, value: impl Into<HeaderValue>) {
        let mut headers = self.properties.headers().clone().unwrap_or_default();
        headers.insert(name.into(), to_amqp(&value.into()));
        self.properties = std::mem::take(&mut self.properties).with_headers(headers);
    }

    pub(crate) fn header(&self, name: &str) -> Option<&AMQPValue> {
        self.properties.headers().as_ref()?.inner().get(name)
    }

    pub(crate) fn message_id(&self) -> Option<&str> {
        self.properties.message_id().as_ref().map(ShortString::as_str)
    }
}

/// What a copy keeps of its original's properties. With its expiration it would leave its delay queue early; with another
/// user's id the broker would refuse it.
fn kept(properties: &BasicProperties) -> BasicProperties {
    let mut kept = BasicProperties::default().with_delivery_mode(PERSISTENT);
    if let Some(value) = properties.kind() {
        kept = kept.with_type(value.clone());
    }
    if let Some(value) = properties.timestamp() {
        kept = kept.with_timestamp(*value);
    }
    if let Some(value) = properties.app_id() {
        kept = kept.with_app_id(value.clone());
    }
    if let Some(value) = properties.content_type() {
        kept = kept.with_content_type(value.clone());
    }
    if let Some(value) = properties.correlation_id() {
        kept = kept.with_correlation_id(value.clone());
    }
    if let Some(value) = properties.reply_to() {
        kept = kept.with_reply_to(value.clone());
    }
    let Some(headers) = properties.headers() else { return kept };
    let mut copied = FieldTable::default();
    // By these two the broker would send the copy to further queues.
    for (name, value) in headers.inner().iter().filter(|(name, _)| !matches!(name.as_str(), "CC" | "BCC")) {
        copied.insert(name.clone(), value.clone());
    }
    kept.with_headers(copied)
}

/// What is known about a delivered message.
pub(crate) fn meta(delivery: &lapin::message::Delivery, queue: &str) -> Meta {
    let properties = &delivery.properties;
    let headers = from_table(properties.headers().as_ref());
    // Straight into the queue, by the default exchange, the routing key is the queue's name and says nothing.
    let routed_as = (!delivery.exchange.as_str().is_empty() && delivery.routing_key.as_str() != queue)
        .then(|| delivery.routing_key.to_string());
    Meta {
        id: properties
            .message_id()
            .as_ref()
            .and_then(|id| Uuid::parse_str(id.as_str()).ok())
            .unwrap_or_else(Uuid::now_v7),
        message_id: properties.message_id().as_ref().map(ToString::to_string),
        kind: properties.kind().as_ref().map(ToString::to_string).filter(|kind| !kind.is_empty()).or(routed_as),
        queue: queue.to_owned(),
        attempt: headers.int(header::ATTEMPT).and_then(|done| u32::try_from(done).ok()).unwrap_or(0).saturating_add(1),
        redelivered: delivery.redelivered,
        published_at: properties
            .timestamp()
            .and_then(|seconds| i64::try_from(seconds).ok())
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok()),
        correlation_id: properties.correlation_id().as_ref().map(ToString::to_string),
        app_id: properties.app_id().as_ref().map(ToString::to_string).filter(|app| !app.is_empty()),
        reply_to: properties.reply_to().as_ref().map(ToString::to_string),
        headers,
    }
}

fn short(text: impl Into<String>) -> Result<ShortString, String> {
    ShortString::try_new(text).map_err(|_| "a name or id is longer than AMQP's 255 bytes".to_owned())
}

fn to_amqp(value: &HeaderValue) -> AMQPValue {
    match value {
        HeaderValue::Int(number) => AMQPValue::LongLongInt(*number),
        HeaderValue::Text(text) => AMQPValue::LongString(text.as_str().into()),
    }
}

fn to_table(headers: &Headers) -> Result<FieldTable, String> {
    let mut table = FieldTable::default();
    for (name, value) in headers.iter() {
        table.insert(short(name)?, to_amqp(value));
    }
    Ok(table)
}

fn from_table(table: Option<&FieldTable>) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in table.iter().flat_map(|table| table.inner()) {
        match value {
            AMQPValue::LongLongInt(number) => headers.set(name.as_str(), *number),
            AMQPValue::LongInt(number) => headers.set(name.as_str(), i64::from(*number)),
            AMQPValue::LongUInt(number) => headers.set(name.as_str(), i64::from(*number)),
            AMQPValue::ShortInt(number) => headers.set(name.as_str(), i64::from(*number)),
            AMQPValue::ShortUInt(number) => headers.set(name.as_str(), i64::from(*number)),
            AMQPValue::ShortShortInt(number) => headers.set(name.as_str(), i64::from(*number)),
            AMQPValue::ShortShortUInt(number) => headers.set(name.as_str(), i64::from(*number)),
            AMQPValue::LongString(text) => {
                headers.set(name.as_str(), String::from_utf8_lossy(text.as_bytes()).into_owned());
            }
            _ => {}
        }
    }
    headers
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
