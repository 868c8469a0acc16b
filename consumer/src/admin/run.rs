//! A redrive or purge that runs while its lines are read.

use std::pin::pin;
use std::time::Duration;

use axum::response::Response;
use futures_util::{StreamExt, stream};
use messaging::dead_letters::{DeadLetterError, DeadLetters, Progress, Purge, Redrive, RunReport};
use serde_json::json;
use service::{ApiError, ApiResult};
use tokio::sync::mpsc::{self, Sender};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Admin;
use super::dead_letters::problem;
use super::shapes::{RunLine, RunState};
use crate::lines;
use crate::stores::audit::Outcome;

/// A line is told about once a second, and none is kept for who does not read.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// What is to be done.
pub(super) enum Ordered {
    Redrive(Redrive),
    Purge(Purge),
}

/// Begins it, and answers with its lines once it is known whether it can be begun. What ends at once is one line.
pub(super) async fn answer(admin: Admin, queue: String, ordered: Ordered, audit: Option<Uuid>) -> ApiResult<Response> {
    let (lines, mut told) = mpsc::channel(1);
    // In a task of its own: it is audited to its end, whoever goes away.
    tokio::spawn(run(admin, queue, ordered, audit, lines));
    let first = match told.recv().await {
        Some(first) => first?,
        None => return Err(ApiError::internal(anyhow::anyhow!("a run ended without a word"))),
    };
    // What could not be begun was the first thing told.
    let rest = stream::poll_fn(move |context| told.poll_recv(context)).filter_map(async |line| line.ok());
    Ok(lines::answer(stream::iter([first]).chain(rest)))
}

type Told = ApiResult<RunLine>;

async fn run(admin: Admin, queue: String, ordered: Ordered, audit: Option<Uuid>, lines: Sender<Told>) {
    let stop = admin.stop.child_token();
    let mut running = pin!(carry_out(&admin.dead_letters, &queue, &ordered, &stop, Teller::new(&lines)));
    let ended = tokio::select! {
        ended = &mut running => ended,
        () = lines.closed() => {
            // Nobody reads any more.
            stop.cancel();
            running.await
        }
    };
    let (outcome, report, last) = match ended {
        Ok(report) => {
            let line = RunLine::last(report, audit);
            let outcome = if line.state == RunState::Done { Outcome::Done } else { Outcome::Interrupted };
            (outcome, serde_json::to_value(&line).expect("names and numbers always have a JSON form"), Ok(line))
        }
        Err(error) => (Outcome::Failed, json!({ "reason": error.to_string() }), Err(problem(error))),
    };
    if let Some(id) = audit {
        admin.end(id, outcome, &report).await;
    }
    // Nobody may be reading any more.
    let _ = lines.send(last).await;
}

async fn carry_out(
    dead_letters: &DeadLetters,
    queue: &str,
    ordered: &Ordered,
    stop: &CancellationToken,
    mut tell: Teller<'_>,
) -> Result<RunReport, DeadLetterError> {
    let progress = |progress: &Progress| tell.tell(progress);
    match ordered {
        Ordered::Redrive(redrive) => dead_letters.redrive(queue, redrive, stop, progress).await,
        Ordered::Purge(purge) => dead_letters.purge(queue, purge, stop, progress).await,
    }
}

/// Tells how far it is, now and then.
struct Teller<'a> {
    lines: &'a Sender<Told>,
    next: Instant,
}

impl<'a> Teller<'a> {
    fn new(lines: &'a Sender<Told>) -> Self {
        Self { lines, next: Instant::now() + BETWEEN_LINES }
    }

    fn tell(&mut self, progress: &Progress) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + BETWEEN_LINES;
        // A reader that is slow is told of it later.
        let _ = self.lines.try_send(Ok(RunLine::running(progress)));
    }
}
