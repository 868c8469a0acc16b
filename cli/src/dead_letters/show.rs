//! `warren dead-letters show`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Letters, filter, understood};
use crate::args::Which;
use crate::failure::Failure;
use crate::out;

/// More of a body than this is not read on a terminal; `--json` has all that the API shows.
const SHOWN_CHARS: usize = 2_000;

#[derive(Debug, Deserialize)]
struct Page {
    messages: Vec<Letter>,
}

#[derive(Debug, Deserialize)]
struct Letter {
    message_id: Option<String>,
    kind: Option<String>,
    reason: Option<String>,
    attempts: u32,
    first_failure: Option<String>,
    parked_at: Option<String>,
    published_at: Option<String>,
    correlation_id: Option<String>,
    redriven_at: Option<String>,
    redriven_by: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, Value>,
    size: u64,
    body: Value,
}

pub(super) async fn run(letters: &Letters, which: &Which, limit: u64, json: bool) -> Result<(), Failure> {
    let mut query = vec![("limit", limit.to_string())];
    query.extend(filter(which).into_iter().map(|(name, value)| (name, as_text(&value))));
    let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let answer: Value = letters.access.get(&letters.of(&which.queue, &format!("?{query}"))).await?;
    let page: Page = understood(&answer)?;
    if json {
        out::json(&answer);
        return Ok(());
    }
    if page.messages.is_empty() {
        out::line(&format!("no dead letter of `{}` is like this", which.queue));
    }
    for letter in &page.messages {
        for line in told(letter) {
            out::line(&line);
        }
    }
    Ok(())
}

fn told(letter: &Letter) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let mut lines = vec![
        format!("{}  {}", text(&letter.message_id), text(&letter.kind)),
        format!("  reason       {}", text(&letter.reason)),
        format!("  parked       {} (tries: {})", text(&letter.parked_at), letter.attempts),
    ];
    let further = [
        ("first failed", &letter.first_failure),
        ("published", &letter.published_at),
        ("correlation", &letter.correlation_id),
        ("redriven", &letter.redriven_at),
        ("  by", &letter.redriven_by),
    ];
    lines.extend(further.into_iter().filter_map(|(name, text)| Some(format!("  {name:12} {}", text.as_deref()?))));
    // Those of the library are told above.
    let ours = |name: &str| ["x-dead-", "x-redriven-"].iter().any(|prefix| name.starts_with(prefix));
    let headers = letter.headers.iter().filter(|(name, _)| !ours(name));
    lines.extend(headers.map(|(name, value)| format!("  header       {name}: {}", as_text(value))));
    let body = out::beginning(&as_text(&letter.body), SHOWN_CHARS);
    lines.push(format!("  body         {} bytes: {body}", letter.size));
    lines.push(String::new());
    lines
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
