//! Texts to be stored, and health checks.

use messaging::Message;
use serde::{Deserialize, Serialize};

use crate::COMMANDS;

/// Store this text. Its id is the message's id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreMessage {
    /// The text.
    pub message: String,
}

impl Message for StoreMessage {
    const EXCHANGE: &'static str = COMMANDS;
    const ROUTING_KEY: &'static str = "message";
}

/// Is a consumer there? It answers with a [`HealthAnswer`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Any text; it comes back.
    pub message: String,
}

impl Message for HealthCheck {
    const EXCHANGE: &'static str = COMMANDS;
    const ROUTING_KEY: &'static str = "health_check";
}

/// The answer to a [`HealthCheck`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthAnswer {
    /// The text that was asked with.
    pub message: String,
    /// Which consumer answers: host and process.
    pub acknowledged_by: String,
}
