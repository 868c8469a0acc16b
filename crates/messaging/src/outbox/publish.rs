//! Publishing a page until the broker has answered for each of its messages.

use tokio::time::sleep;

use super::cursor::Position;
use crate::stall::Stall;
use crate::{Backoff, Outcome, Outgoing, Publisher};

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
