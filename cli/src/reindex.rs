//! `warren reindex`: builds an index of the search anew.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::signal::ctrl_c;

use crate::access::{self, Access, Unknown};
use crate::api::Http;
use crate::args::ReindexArgs;
use crate::failure::Failure;
use crate::parts::Parts;
use crate::{out, progress};

/// A line of the answer.
#[derive(Debug, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Line {
    Copying {
        done: u64,
        total: u64,
    },
    Done(Built),
    Failed {
        error: String,
    },
    /// A state of a later version.
    #[serde(other)]
    Unknown,
}

/// What is in use now.
#[derive(Debug, Deserialize, Serialize)]
struct Built {
    index: String,
    #[serde(default)]
    documents: u64,
    #[serde(default)]
    refused: u64,
    took_ms: u64,
}

pub(crate) async fn run(args: ReindexArgs, json: bool) -> Result<(), Failure> {
    let (http, kind) = (Http::new()?, args.kind.as_str());
    let access = Access::begin(http.clone(), &args.access, Unknown::Refuse).await?;
    let path = |prefix: &str| format!("{prefix}/admin/reindex/{kind}");
    let url = access::at(&http, &args.access, "consumer", &path("/api"), &path("")).await?;
    let built = tokio::select! {
        // First, so that nothing is begun that cannot be interrupted in an orderly way.
        biased;
        _ = ctrl_c() => Err(Failure::Partly(format!(
            "interrupted: what was built is thrown away again, and the index of {kind} that was in use stays; run it again at any time"
        ))),
        built = async { follow(kind, access.begin_run(&url, None).await?).await } => built,
    }?;
    let Built { index, documents, refused, took_ms } = &built;
    if json {
        out::json(&json!(built));
    } else {
        out::line(&format!("{kind}: `{index}` is in use; {documents} documents were copied in {took_ms} ms"));
    }
    match refused {
        0 => Ok(()),
        refused => Err(Failure::Partly(format!("{refused} documents were not taken; the consumer's log tells why"))),
    }
}

async fn follow(kind: &'static str, mut lines: Parts) -> Result<Built, Failure> {
    let bar = progress::bar(kind, 0);
    while let Some(line) = lines.next_json().await? {
        match line {
            Line::Copying { done, total } => {
                bar.set_length(total);
                bar.set_position(done);
            }
            Line::Done(built) => {
                bar.finish_and_clear();
                return Ok(built);
            }
            Line::Failed { error } => {
                return Err(Failure::Away(format!("{error}. The index that was in use stays; run it again")));
            }
            Line::Unknown => {}
        }
    }
    // The last line may be all that is missing.
    Err(Failure::Partly(
        "the answer was cut off. Either the index that was in use stays, or the new one is; run it again".to_owned(),
    ))
}
