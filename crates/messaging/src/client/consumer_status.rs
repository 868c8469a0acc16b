//! How a consumer stands.

use std::sync::{Arc, Mutex};

/// How a consumer stands, for health checks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ConsumerStatus(Arc<Mutex<State>>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Connecting(String),
    Consuming,
    Paused(String),
}

impl ConsumerStatus {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State::Connecting("not started".to_owned()))))
    }

    pub(super) fn set(&self, state: State) {
        *self.0.lock().expect("nothing panics while it holds this lock") = state;
    }

    /// Whether the broker has the consumer registered; if not, why.
    pub fn ready(&self) -> Result<(), String> {
        match &*self.0.lock().expect("nothing panics while it holds this lock") {
            State::Connecting(reason) => Err(reason.clone()),
            State::Consuming | State::Paused(_) => Ok(()),
        }
    }

    /// Whether it works; if not, why: the broker does not have it registered, or it waits for a store.
    pub fn working(&self) -> Result<(), String> {
        match &*self.0.lock().expect("nothing panics while it holds this lock") {
            State::Connecting(reason) | State::Paused(reason) => Err(reason.clone()),
            State::Consuming => Ok(()),
        }
    }

    /// What the consumer waits for, if a store is down.
    pub fn paused(&self) -> Option<String> {
        match &*self.0.lock().expect("nothing panics while it holds this lock") {
            State::Paused(reason) => Some(reason.clone()),
            _ => None,
        }
    }
}
