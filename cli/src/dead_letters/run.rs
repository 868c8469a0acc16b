//! `warren dead-letters redrive` and `purge`.

use std::io::{IsTerminal, stdin};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::signal::ctrl_c;

use super::{Letters, filter, understood};
use crate::args::{How, Which};
use crate::failure::Failure;
use crate::parts::Parts;
use crate::{out, progress};

/// What is done to dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// They are sent to their queue once more.
    Redrive { rate: Option<u32> },
    /// They are thrown away.
    Purge,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Redrive { .. } => "redrive",
            Self::Purge => "purge",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Redrive { .. } => "redriven",
            Self::Purge => "thrown away",
        }
    }
}

/// What is to be done to which of them.
pub(super) struct Run {
    pub(super) action: Action,
    pub(super) which: Which,
    pub(super) how: How,
}

/// A line of the answer.
#[derive(Debug, Default, Deserialize)]
struct Line {
    state: String,
    total: u64,
    seen: u64,
    matched: u64,
    done: u64,
    #[serde(default)]
    refused: u64,
    #[serde(default)]
    interrupted: Option<String>,
}

impl Run {
    pub(super) async fn carry_out(&self, letters: &Letters, json: bool) -> Result<(), Failure> {
        self.confirm(letters).await?;
        let Self { action, which, how } = self;
        let queue = &which.queue;
        let url = letters.of(queue, &format!("/{}", action.name()));
        let bar = progress::bar(action.name(), 0);
        let mut last = Line::default();
        let mut began = false;
        let followed = tokio::select! {
            // First, so that nothing is begun that cannot be interrupted in an orderly way.
            biased;
            _ = ctrl_c() => Err(Failure::Partly("interrupted".to_owned())),
            followed = async {
                let lines = letters.access.begin_run(&url, Some(&self.request())).await?;
                began = true;
                follow(lines, |line: Line| {
                    bar.set_length(line.total);
                    bar.set_position(line.seen);
                    last = line;
                })
                .await
            } => followed,
        };
        bar.finish_and_clear();
        let answer = followed.map_err(|failure| {
            let so_far = format!("at least {} were {}", last.done, action.done());
            if began {
                Failure::Partly(format!("{failure}: {so_far}; what is left stays parked, so run it again"))
            } else {
                failure
            }
        })?;

        let Line { total, matched, done, refused, interrupted, .. } = &last;
        if json {
            out::json(&answer);
        } else if how.dry_run {
            out::line(&format!("{matched} of {total} dead letters of `{queue}` would be {}", action.done()));
        } else {
            out::line(&format!("{done} of {total} dead letters of `{queue}` were {}", action.done()));
        }
        match (interrupted, refused) {
            (Some(why), _) => Err(Failure::Partly(format!("it ended before all was done: {why}; run it again"))),
            (None, 0) => Ok(()),
            (None, refused) => Err(Failure::Partly(format!("{refused} were refused by the broker, and stay parked"))),
        }
    }

    fn request(&self) -> Value {
        let Self { action, which, how } = self;
        let filter: Map<String, Value> =
            filter(which).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut request = json!({ "filter": filter, "dry_run": how.dry_run });
        if let Some(limit) = how.limit {
            request["limit"] = limit.into();
        }
        if let Action::Redrive { rate: Some(rate) } = action {
            request["rate"] = (*rate).into();
        }
        request
    }

    /// Who says nothing but the queue may not have meant all of it.
    async fn confirm(&self, letters: &Letters) -> Result<(), Failure> {
        let Self { action, which, how } = self;
        if !which.is_all() || how.limit.is_some() || how.dry_run || how.yes {
            return Ok(());
        }
        let (queue, action) = (&which.queue, action.name());
        if !stdin().is_terminal() {
            return Err(Failure::Usage(format!(
                "to {action} all dead letters of `{queue}`, add --yes; to see how many they are, --dry-run"
            )));
        }
        let (counts, _) = letters.counts().await?;
        let parked = counts.queues.iter().find(|count| count.queue == *queue).and_then(|count| count.parked);
        let parked = parked.map(|parked| format!(" {parked}")).unwrap_or_default();
        out::error(&format!("To {action} all{parked} dead letters of `{queue}`, type yes:"));
        let answer = tokio::task::spawn_blocking(|| {
            let mut answer = String::new();
            stdin().read_line(&mut answer).map(|_| answer)
        });
        match answer.await {
            Ok(Ok(answer)) if ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) => Ok(()),
            _ => Err(Failure::Usage("not confirmed: nothing was done".to_owned())),
        }
    }
}

/// Follows it to its last line.
async fn follow(mut lines: Parts, mut tell: impl FnMut(Line)) -> Result<Value, Failure> {
    while let Some(answer) = lines.next_json::<Value>().await? {
        let line: Line = understood(&answer)?;
        let has_ended = line.state != "running";
        tell(line);
        if has_ended {
            return Ok(answer);
        }
    }
    Err(Failure::Partly("the answer was cut off".to_owned()))
}
