//! Following a task by its events, until it has ended.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{sleep, timeout};

use crate::access::Access;
use crate::failure::Failure;

/// How long to wait before a stream that was cut off is followed again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A step that has ended.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Step {
    step: String,
    state: String,
    ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Step {
    pub(super) fn told(&self) -> String {
        let Self { step, state, ms, error } = self;
        let why = error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
        format!("{ms:8.1} ms  {step}: {state}{why} ({})", what(step))
    }
}

fn what(step: &str) -> &'static str {
    match step {
        "user_tasks" => "the user, in MongoDB",
        "user_sessions" => "the cached profile, in Redis",
        "user_preferences" => "what the user prefers, in MongoDB",
        "user_search" => "the searchable document, in Elasticsearch",
        "welcome_messages" => "the welcome message, in MongoDB and by mail",
        _ => "another step",
    }
}

#[derive(Deserialize)]
struct Task {
    state: String,
    steps: Vec<TaskStep>,
    reason: Option<String>,
}

#[derive(Clone, Deserialize)]
struct TaskStep {
    step: String,
    state: String,
    #[serde(default)]
    attempts: u32,
    error: Option<String>,
}

impl TaskStep {
    fn is_open(&self) -> bool {
        ["waiting", "retrying"].contains(&self.state.as_str())
    }
}

/// What was seen of a task's steps.
#[derive(Default)]
struct Seen {
    ended: Vec<Step>,
    /// Those that have not ended, with the moment since which each is as it is.
    open: BTreeMap<String, (TaskStep, f64)>,
}

impl Seen {
    /// The steps that have ended since.
    fn take(&mut self, task: &Task, now: f64) -> Vec<Step> {
        let mut ended = Vec::new();
        for step in &task.steps {
            if step.is_open() {
                let known = self.open.entry(step.step.clone()).or_insert_with(|| (step.clone(), 0.0));
                if (&known.0.state, known.0.attempts) != (&step.state, step.attempts) {
                    *known = (step.clone(), now);
                }
            } else if self.ended.iter().all(|known| known.step != step.step) {
                self.open.remove(&step.step);
                let (name, state, error) = (step.step.clone(), step.state.clone(), step.error.clone());
                ended.push(Step { step: name, state, ms: now, error });
                self.ended.extend(ended.last().cloned());
            }
        }
        ended
    }

    /// What is waited for, and since when.
    fn waiting(&self, now: f64) -> String {
        let told = self.open.values().map(|(TaskStep { step, state, attempts, error }, since)| {
            let tries = if *attempts > 0 { format!(", tries: {attempts}") } else { String::new() };
            let why = error.as_deref().map(|error| format!(", {error}")).unwrap_or_default();
            format!("`{step}` ({state} for {:.1} s{tries}{why})", (now - since) / 1_000.0)
        });
        told.collect::<Vec<_>>().join(", ")
    }
}

/// Tells of each step as it ends, and gives them all when the task is done.
pub(super) async fn task(
    access: &Access,
    url: &str,
    limit: Duration,
    since: impl Fn() -> f64,
    tell: impl Fn(&Step),
) -> Result<Vec<Step>, Failure> {
    let mut seen = Seen::default();
    let following = async {
        loop {
            let mut events = access.events(url).await?;
            // A stream that ends before the task does, or is cut off, is followed again: its producer may have been told to stop.
            while let Ok(Some(event)) = events.next().await {
                let Some(task) = read(&event) else { continue };
                seen.take(&task, since()).iter().for_each(&tell);
                match task.state.as_str() {
                    "done" => return Ok(()),
                    "accepted" | "published" | "rolling_back" => {}
                    state => {
                        let why = task.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
                        return Err(Failure::Partly(format!("the task has ended {state}{why}; see {}", page(url))));
                    }
                }
            }
            sleep(AGAIN_AFTER).await;
        }
    };
    match timeout(limit, following).await {
        Ok(followed) => followed.map(|()| seen.ended),
        Err(_) => {
            let (seconds, waiting) = (limit.as_secs(), seen.waiting(since()));
            Err(Failure::Away(format!(
                "the task has not ended within {seconds} s, because of {waiting}; see {}",
                page(url)
            )))
        }
    }
}

/// The task of a stream.
fn page(url: &str) -> &str {
    url.trim_end_matches("/events")
}

/// The task of an event; none of a comment.
fn read(event: &[u8]) -> Option<Task> {
    let text = std::str::from_utf8(event).ok()?;
    let data: String = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
    serde_json::from_str(&data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(state: &str, attempts: u32) -> Task {
        let event = format!(
            "event: task\nid: 1\ndata: {{\"state\":\"published\",\"steps\":[{{\"step\":\"tasks\",\"state\":\"{state}\",\
             \"attempts\":{attempts},\"error\":\"no such table\"}}]}}"
        );
        read(event.as_bytes()).expect("it has a task")
    }

    #[test]
    fn an_event_has_a_task_and_a_comment_has_none() {
        let task = task("done", 1);
        assert_eq!((task.state.as_str(), task.steps[0].step.as_str()), ("published", "tasks"));
        assert!(read(b": keep alive").is_none());
    }

    #[test]
    fn a_step_that_waits_tells_since_when_and_one_that_has_ended_is_told_once() {
        let mut seen = Seen::default();
        assert!(seen.take(&task("waiting", 0), 10.0).is_empty());
        assert!(
            seen.take(&task("retrying", 2), 1_000.0).is_empty() && seen.take(&task("retrying", 2), 2_000.0).is_empty()
        );
        assert_eq!(seen.waiting(3_500.0), "`tasks` (retrying for 2.5 s, tries: 2, no such table)");
        assert_eq!(seen.take(&task("done", 3), 4_000.0).len(), 1);
        assert!(seen.take(&task("done", 3), 5_000.0).is_empty());
        assert_eq!((seen.waiting(5_000.0).as_str(), seen.ended.len()), ("", 1));
    }
}
