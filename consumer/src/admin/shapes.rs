//! What requests and answers about dead letters look like.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use messaging::HeaderValue;
use messaging::dead_letters::{Count, DeadLetter, Filter, Progress, RunReport};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::http::FieldError;
use service::{ApiError, ApiResult};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// As much of a body as is shown.
const SHOWN_BYTES: usize = 16 * 1024;
const MOST: u32 = 100;
const USUAL: u32 = 20;
/// No text by which letters are looked for is longer.
const MAX_TEXT: usize = 1000;

/// How many messages are parked beside each queue.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Counts {
    /// Each queue.
    queues: Vec<QueueCount>,
    /// All together.
    parked: u64,
}

/// How many messages are parked beside a queue.
#[derive(Debug, Serialize, ToSchema)]
struct QueueCount {
    /// The queue that they were parked from.
    #[schema(example = "user_tasks")]
    queue: String,
    /// The queue in which they are.
    #[schema(example = "user_tasks.dead")]
    dead_letter_queue: String,
    /// How many there are; null if the broker has no such queue.
    parked: Option<u64>,
}

impl From<Vec<Count>> for Counts {
    fn from(counts: Vec<Count>) -> Self {
        let parked = counts.iter().filter_map(|count| count.parked).sum();
        let queue = |Count { queue, dead_letter_queue, parked }| QueueCount { queue, dead_letter_queue, parked };
        Self { queues: counts.into_iter().map(queue).collect(), parked }
    }
}

/// Which dead letters to show: the first ones to which all that is set applies.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Peek {
    /// How many at most; 20 if not given.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// With this message id.
    message_id: Option<String>,
    /// Of this type.
    kind: Option<String>,
    /// Whose reason contains this, in capitals or not.
    reason: Option<String>,
    /// Parked longer ago than so many seconds.
    older_than_secs: Option<u64>,
}

impl Peek {
    pub(super) fn into_parts(self) -> ApiResult<(Filter, usize)> {
        let Self { limit, message_id, kind, reason, older_than_secs } = self;
        let filter = LetterFilter { message_id, kind, reason, older_than_secs };
        let mut wrong = filter.wrong("");
        let limit = limit.unwrap_or(USUAL);
        if !(1..=MOST).contains(&limit) {
            wrong.push(FieldError::new("limit", format!("must be from 1 to {MOST}")));
        }
        if !wrong.is_empty() {
            return Err(ApiError::unprocessable(wrong));
        }
        Ok((filter.into(), limit as usize))
    }
}

/// Which dead letters are meant: those to which all that is set applies.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LetterFilter {
    /// With this message id.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    /// Of this type.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "user.created")]
    kind: Option<String>,
    /// Whose reason contains this, in capitals or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Parked longer ago than so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    older_than_secs: Option<u64>,
}

impl LetterFilter {
    fn wrong(&self, prefix: &str) -> Vec<FieldError> {
        let texts = [("message_id", &self.message_id), ("kind", &self.kind), ("reason", &self.reason)];
        let wrong = texts.into_iter().filter_map(|(name, text)| {
            let detail = match text.as_deref()? {
                "" => "must not be empty".to_owned(),
                text if text.len() > MAX_TEXT => format!("must have at most {MAX_TEXT} bytes"),
                _ => return None,
            };
            Some(FieldError::new(format!("{prefix}{name}"), detail))
        });
        wrong.collect()
    }
}

impl From<LetterFilter> for Filter {
    fn from(filter: LetterFilter) -> Self {
        let LetterFilter { message_id, kind, reason, older_than_secs } = filter;
        Self { message_id, kind, reason, older_than: older_than_secs.map(Duration::from_secs) }
    }
}

/// Which dead letters to redrive, and how.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RedriveRequest {
    /// Which; all if nothing is set.
    pub(super) filter: LetterFilter,
    /// How many at most, the oldest first.
    #[schema(minimum = 1)]
    pub(super) limit: Option<u64>,
    /// How many per second at most.
    #[schema(value_type = Option<u32>, minimum = 1)]
    pub(super) rate: Option<NonZeroU32>,
    /// Only counts them.
    pub(super) dry_run: bool,
}

/// Which dead letters to throw away.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PurgeRequest {
    /// Which; all if nothing is set.
    pub(super) filter: LetterFilter,
    /// How many at most, the oldest first.
    #[schema(minimum = 1)]
    pub(super) limit: Option<u64>,
    /// Only counts them.
    pub(super) dry_run: bool,
}

/// What is wrong with a request.
pub(super) fn check(filter: &LetterFilter, limit: Option<u64>) -> ApiResult<()> {
    let mut wrong = filter.wrong("filter.");
    if limit == Some(0) {
        wrong.push(FieldError::new("limit", "must be at least 1"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(ApiError::unprocessable(wrong)) }
}

/// Dead letters of a queue.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Letters {
    /// The queue that they were parked from.
    pub(super) queue: String,
    /// The letters, the oldest first.
    pub(super) messages: Vec<Letter>,
}

/// In which form a body is shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum BodyForm {
    /// As the JSON that it is.
    Json,
    /// As a text, which is no JSON or only its beginning.
    Text,
    /// As hexadecimal digits, since it is no text.
    Hex,
}

/// A parked message.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Letter {
    /// Its id, if it has one.
    message_id: Option<String>,
    /// Its type, if it is known.
    kind: Option<String>,
    /// Why it was parked.
    reason: Option<String>,
    /// How often handling it was tried.
    attempts: u32,
    /// When handling it first failed; null if it was parked at once.
    #[serde(with = "time::serde::rfc3339::option")]
    first_failure: Option<OffsetDateTime>,
    /// When it was parked.
    #[serde(with = "time::serde::rfc3339::option")]
    parked_at: Option<OffsetDateTime>,
    /// When it was published.
    #[serde(with = "time::serde::rfc3339::option")]
    published_at: Option<OffsetDateTime>,
    /// Ties it to the request that caused it.
    correlation_id: Option<String>,
    /// When it was last redriven.
    #[serde(with = "time::serde::rfc3339::option")]
    redriven_at: Option<OffsetDateTime>,
    /// By whom.
    redriven_by: Option<String>,
    /// Its headers.
    headers: BTreeMap<String, Value>,
    /// How many bytes its body has.
    size: usize,
    /// The body, or its beginning.
    body: Value,
    /// In which form it is shown.
    body_form: BodyForm,
    /// Whether only its beginning is shown.
    truncated: bool,
}

impl From<DeadLetter> for Letter {
    fn from(letter: DeadLetter) -> Self {
        let shown = &letter.body[..letter.body.len().min(SHOWN_BYTES)];
        let truncated = shown.len() < letter.size;
        let (body, body_form) = body(shown, truncated);
        let header = |(name, value): (&str, &HeaderValue)| {
            let value = match value {
                HeaderValue::Int(number) => Value::from(*number),
                HeaderValue::Text(text) => Value::from(text.as_str()),
            };
            (name.to_owned(), value)
        };
        Self {
            headers: letter.headers.iter().map(header).collect(),
            message_id: letter.message_id,
            kind: letter.kind,
            reason: letter.reason,
            attempts: letter.attempts,
            first_failure: letter.first_failure,
            parked_at: letter.parked_at,
            published_at: letter.published_at,
            correlation_id: letter.correlation_id,
            redriven_at: letter.redriven_at,
            redriven_by: letter.redriven_by,
            size: letter.size,
            body,
            body_form,
            truncated,
        }
    }
}

fn body(shown: &[u8], truncated: bool) -> (Value, BodyForm) {
    if !truncated && let Ok(json) = serde_json::from_slice(shown) {
        return (json, BodyForm::Json);
    }
    match std::str::from_utf8(shown) {
        Ok(text) => (text.into(), BodyForm::Text),
        // Cut within a character.
        Err(error) if truncated && error.error_len().is_none() => {
            (String::from_utf8_lossy(&shown[..error.valid_up_to()]).into_owned().into(), BodyForm::Text)
        }
        Err(_) => (shown.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(), BodyForm::Hex),
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RunState {
    /// It goes on.
    Running,
    /// All was done.
    Done,
    /// It ended before all was done.
    Interrupted,
}

/// One line of the answer to a redrive or purge.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct RunLine {
    /// How far it is.
    pub(super) state: RunState,
    /// How many messages were parked when it began.
    total: u64,
    /// How many of them it has looked at.
    seen: u64,
    /// How many of those were meant.
    matched: u64,
    /// How many were redriven or thrown away; none by a dry run.
    done: u64,
    /// How many the broker will never take again as they are. They stay parked.
    refused: u64,
    /// The rest, on the last line.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    end: Option<RunEnd>,
}

/// What the last line tells beside.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct RunEnd {
    /// The run's id. What it has redriven says so in the header `x-redrive-run`.
    run_id: Uuid,
    /// The id of its entry in the audit; null if nothing was to be changed.
    audit_id: Option<Uuid>,
    /// How long it took.
    took_ms: u64,
    /// Why it ended before all was done.
    interrupted: Option<String>,
}

impl RunLine {
    pub(super) fn running(progress: &Progress) -> Self {
        let Progress { total, seen, matched, done, refused } = *progress;
        Self { state: RunState::Running, total, seen, matched, done, refused, end: None }
    }

    pub(super) fn last(report: RunReport, audit_id: Option<Uuid>) -> Self {
        let RunReport { run, progress, interrupted, took } = report;
        let state = if interrupted.is_some() { RunState::Interrupted } else { RunState::Done };
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let end = Some(RunEnd { run_id: run, audit_id, took_ms, interrupted });
        Self { state, end, ..Self::running(&progress) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_as_what_it_is() {
        let shown = |body: &'static [u8]| {
            let letter = DeadLetter { size: body.len(), body: body.into(), ..DeadLetter::default() };
            serde_json::to_value(Letter::from(letter)).unwrap()
        };
        let json = shown(br#"{"a":1}"#);
        assert_eq!((&json["body"]["a"], &json["body_form"]), (&Value::from(1), &Value::from("json")));
        let text = shown(b"{not json");
        assert_eq!((&text["body"], &text["body_form"]), (&Value::from("{not json"), &Value::from("text")));
        let bytes = shown(&[0xff, 0x00]);
        assert_eq!((&bytes["body"], &bytes["body_form"]), (&Value::from("ff00"), &Value::from("hex")));
    }

    #[test]
    fn of_a_long_body_the_beginning_is_shown() {
        let long = "é".repeat(SHOWN_BYTES);
        let body = format!("x{long}");
        let letter = DeadLetter { size: body.len(), body: body.into_bytes().into(), ..DeadLetter::default() };
        let shown = serde_json::to_value(Letter::from(letter)).unwrap();
        assert_eq!((&shown["truncated"], &shown["body_form"]), (&Value::from(true), &Value::from("text")));
        assert_eq!(shown["body"].as_str().map(str::len), Some(SHOWN_BYTES - 1));
    }
}
