//! A message as the management shows it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A message that was looked at in, or taken from, a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct TestMessage {
    /// The body's bytes.
    pub body: Vec<u8>,
    /// The AMQP properties, without the headers: an object.
    pub properties: Value,
    /// The headers: an object.
    pub headers: Value,
    /// The exchange it was published to; `""` is the default exchange.
    pub exchange: String,
    /// The routing key it was published with.
    pub routing_key: String,
    /// Whether it was delivered before.
    pub redelivered: bool,
}

impl TestMessage {
    /// The body as JSON.
    ///
    /// # Panics
    /// If it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            let body = String::from_utf8_lossy(&self.body);
            panic!("the message's body is not JSON ({error}): {body}")
        })
    }

    /// From the management's answer, whose bodies were asked for in base64.
    pub(super) fn from_management(message: &Value) -> Self {
        let mut properties = object(&message["properties"]);
        let headers = object(&properties["headers"]);
        if let Some(properties) = properties.as_object_mut() {
            properties.remove("headers");
        }
        let text = |field: &str| message[field].as_str().unwrap_or_default().to_owned();
        // A body that is valid UTF-8 may still come as it is.
        let body = match message["payload_encoding"].as_str() {
            Some("base64") => STANDARD.decode(text("payload")).expect("the management encodes correctly"),
            _ => text("payload").into_bytes(),
        };
        Self {
            body,
            properties,
            headers,
            exchange: text("exchange"),
            routing_key: text("routing_key"),
            redelivered: message["redelivered"] == json!(true),
        }
    }
}

/// An empty object is an empty list in Erlang's JSON.
fn object(value: &Value) -> Value {
    if value.is_object() { value.clone() } else { json!({}) }
}
