//! `health_check`: answers that a consumer is there, and which.

use contracts::messages::{HealthAnswer, HealthCheck};
use messaging::{Answer, Delivery, Failure};
use uuid::Uuid;

/// Answers health checks.
#[derive(Debug)]
pub struct AnswerHealthCheck {
    instance: String,
}

impl AnswerHealthCheck {
    /// Answers in the name of this process: its host, its process id, and a part that tells apart the processes that
    /// containers number alike.
    pub fn new() -> Self {
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy();
        // The end of a UUID of version 7 is random.
        let unique = &Uuid::now_v7().simple().to_string()[24..];
        Self { instance: format!("consumer {host}/{}/{unique}", std::process::id()) }
    }
}

impl Default for AnswerHealthCheck {
    fn default() -> Self {
        Self::new()
    }
}

impl Answer<HealthCheck, HealthAnswer> for AnswerHealthCheck {
    async fn answer(&self, request: &Delivery<HealthCheck>) -> Result<HealthAnswer, Failure> {
        Ok(HealthAnswer { message: request.payload.message.clone(), acknowledged_by: self.instance.clone() })
    }
}
