//! Publishing a page until the broker has answered for each of its messages.

use futures_util::future::join_all;
use tokio::time::sleep;

use super::cursor::Position;
use super::record::Answers;
use crate::stall::Stall;
use crate::{Backoff, Line, Outcome, Outgoing, Publisher};

/// Messages that follow one another, with their places in the outbox.
type Row = (Position, Outgoing);

/// Publishes messages, those without an answer again and again with the same id. It ends when each has one.
pub(super) async fn until_answered(publisher: Publisher, rows: Vec<Line<Row>>, stall: &Stall) -> Answers {
    let mut delays = Backoff::RECONNECT.delays();
    let mut answered = Vec::with_capacity(rows.len());
    let mut open = rows;
    loop {
        let tries = join_all(open.into_iter().map(|line| publish(&publisher, line))).await;
        open = Vec::new();
        let mut why = None;
        for tried in tries {
            answered.extend(tried.answered);
            if let Some((line, reason)) = tried.unknown {
                open.push(line);
                why = Some(reason);
            }
        }
        let Some(reason) = why else {
            stall.ends();
            return answered;
        };
        stall.begins(&reason);
        sleep(delays.next().unwrap_or(Backoff::RECONNECT.cap)).await;
    }
}

/// What became of a line.
struct Tried {
    answered: Answers,
    /// Those without an answer, and why.
    unknown: Option<(Line<Row>, String)>,
}

/// Publishes a line when its turn has come. It is over, and the next one's turn, when all of it is answered.
async fn publish(publisher: &Publisher, mut line: Line<Row>) -> Tried {
    line.turn().await;
    let outcomes = publisher.publish_in_order(line.items.iter().map(|(_, message)| message.clone())).await;
    let mut answered = Vec::with_capacity(line.items.len());
    let mut unknown = Vec::new();
    let mut why = None;
    for ((position, message), outcome) in std::mem::take(&mut line.items).into_iter().zip(outcomes) {
        if let Outcome::Unknown(reason) = outcome {
            why.get_or_insert(reason);
            unknown.push((position, message));
        } else {
            answered.push((position, message, outcome));
        }
    }
    line.items = unknown;
    Tried { answered, unknown: why.map(|reason| (line, reason)) }
}
