//! How a consumer stands.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use lapin::Channel;
use lapin::options::ChannelFlowOptions;
use tokio::time::timeout;

use crate::Failure;

const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);

/// How a consumer stands, for health checks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ConsumerStatus(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    state: State,
    /// What the messages at hand came over.
    channel: Option<Channel>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Connecting(String),
    Consuming,
    Paused(String),
}

impl ConsumerStatus {
    pub(super) fn new() -> Self {
        let state = State::Connecting("not started".to_owned());
        Self(Arc::new(Mutex::new(Inner { state, channel: None })))
    }

    pub(super) fn set(&self, state: State) {
        self.lock().state = state;
    }

    pub(super) fn subscribed(&self, channel: &Channel) {
        *self.lock() = Inner { state: State::Consuming, channel: Some(channel.clone()) };
    }

    /// Asks the broker whether the messages at hand are still this consumer's: until it has answered, no other one got them.
    ///
    /// For handlers that fence off those before them, and must not do so when they are the ones who are late.
    ///
    /// # Errors
    /// If they are not, or nobody knows.
    pub async fn confirm(&self) -> Result<(), Failure> {
        let Some(channel) = self.lock().channel.clone() else { return Err(Failure::unavailable("not consuming")) };
        match timeout(CONFIRM_TIMEOUT, channel.channel_flow(ChannelFlowOptions { active: true })).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Failure::unavailable(format!("the subscription is lost: {error}"))),
            Err(_) => Err(Failure::unavailable("the broker does not say whether the subscription stands")),
        }
    }

    /// Whether the broker has the consumer registered; if not, why.
    pub fn ready(&self) -> Result<(), String> {
        match &self.lock().state {
            State::Connecting(reason) => Err(reason.clone()),
            State::Consuming | State::Paused(_) => Ok(()),
        }
    }

    /// Whether it works; if not, why: the broker does not have it registered, or it waits for a store.
    pub fn working(&self) -> Result<(), String> {
        match &self.lock().state {
            State::Connecting(reason) | State::Paused(reason) => Err(reason.clone()),
            State::Consuming => Ok(()),
        }
    }

    /// What the consumer waits for, if a store is down.
    pub fn paused(&self) -> Option<String> {
        match &self.lock().state {
            State::Paused(reason) => Some(reason.clone()),
            _ => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}
