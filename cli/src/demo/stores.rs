//! What each store holds of a user.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::access::Access;
use crate::failure::Failure;
use crate::out;

/// A search engine shows what it has taken about once a second.
const SEARCHABLE_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// More of what a store holds does not fit a line.
const SHOWN_CHARS: usize = 120;

/// A user as each store has it.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Everywhere {
    pub(super) agree: bool,
    stores: BTreeMap<String, Part>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Part {
    status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

impl Part {
    fn is_present(&self) -> bool {
        self.status == "present"
    }
}

impl Everywhere {
    pub(super) fn is_searchable(&self) -> bool {
        self.stores.get("search").is_some_and(Part::is_present)
    }

    /// The stores that have the user.
    pub(super) fn present(&self) -> Vec<&str> {
        self.stores.iter().filter(|(_, part)| part.is_present()).map(|(store, _)| &**store).collect()
    }

    /// A line for each store.
    pub(super) fn told(&self) -> Vec<String> {
        let line = |(store, part): (&String, &Part)| {
            let version = part.version.map(|version| format!("v{version}")).unwrap_or_default();
            let data = part.data.as_ref().map(Value::to_string).unwrap_or_default();
            let shown = out::beginning(&data, SHOWN_CHARS);
            format!("  {store:14} {:11} {version:4} {shown}", part.status).trim_end().to_owned()
        };
        let verdict = if self.agree { "  They agree." } else { "  They do NOT agree." };
        self.stores.iter().map(line).chain([verdict.to_owned()]).collect()
    }
}

#[derive(Deserialize)]
struct Found {
    hits: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    id: String,
}

/// Searches until the user is found.
pub(super) async fn search(access: &Access, url: &str, user_id: Uuid) -> Result<(), Failure> {
    let begun = Instant::now();
    while begun.elapsed() < SEARCHABLE_WITHIN {
        let found: Found = access.get(url).await?;
        if found.hits.iter().any(|hit| hit.id == user_id.to_string()) {
            return Ok(());
        }
        sleep(LOOK_EVERY).await;
    }
    Err(Failure::Partly(format!("a search does not find the user within {} s", SEARCHABLE_WITHIN.as_secs())))
}
