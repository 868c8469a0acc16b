//! Publishing a page until the broker has answered for each of its messages.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::sleep;

use super::cursor::Position;
use crate::{Backoff, Outcome, Outgoing, Publisher};

/// Something that can stand still: it is logged once when it does and once when it goes on, not at each try.
#[derive(Debug)]
pub(super) struct Stall {
    what: &'static str,
    stalled: AtomicBool,
}

impl Stall {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, stalled: AtomicBool::new(false) }
    }

    pub(super) fn begins(&self, reason: &dyn fmt::Display) {
        if !self.stalled.swap(true, Ordering::Relaxed) {
            tracing::warn!(%reason, "{} stands still", self.what);
        }
    }

    pub(super) fn ends(&self) {
        if self.stalled.swap(false, Ordering::Relaxed) {
            tracing::info!("{} goes on", self.what);
        }
    }
}

/// Publishes messages, those without an answer again and again with the same id. It ends when each has one.
pub(super) async fn until_answered(
    publisher: Publisher,
    rows: Vec<(Position, Outgoing)>,
    stall: &Stall,
) -> Vec<(Position, Outgoing, Outcome)> {
    let mut delays = Backoff::RECONNECT.delays();
    let mut answered = Vec::with_capacity(rows.len());
    let mut open = rows;
    loop {
        let outcomes = publisher.publish_all(open.iter().map(|(_, message)| message.clone())).await;
        let mut unknown = Vec::new();
        let mut why = None;
        for ((position, message), outcome) in open.into_iter().zip(outcomes) {
            if let Outcome::Unknown(reason) = outcome {
                why = Some(reason);
                unknown.push((position, message));
            } else {
                answered.push((position, message, outcome));
            }
        }
        let Some(reason) = why else {
            stall.ends();
            return answered;
        };
        stall.begins(&reason);
        open = unknown;
        sleep(delays.next().unwrap_or(Backoff::RECONNECT.cap)).await;
    }
}
