//! Bulk writes. The newest version of a document stays, whatever the order in which they come.

use std::collections::{BTreeSet, HashMap};

use messaging::{Failure, FailureKind};
use serde::Serialize;
use serde_json::Value;

use super::client::Error;
use super::document::Versioned;
use super::index::{Carriers, Index};
use crate::stores::{Store, unversioned_is_beaten};

/// An index is created or replaced now and then, not again and again during one write.
const ROUNDS: usize = 5;

/// What became of one document of a bulk write.
#[derive(Debug)]
pub(super) enum Written {
    /// The index of this name has it, or a newer one.
    Has { index: String, newer: bool },
    /// The index of this name did not take it.
    Refused { index: String, error: Error },
    /// Nobody carries the alias.
    NoIndex,
}

#[derive(Serialize)]
struct Action<'a> {
    index: Target<'a>,
}

#[derive(Serialize)]
struct Target<'a> {
    _index: &'a str,
    _id: &'a str,
    version: i64,
    version_type: &'static str,
}

impl Index {
    /// Writes documents; the verdicts are in their order.
    ///
    /// A document counts as written when each index that now carries one of the aliases has it. So none is lost while an
    /// index is replaced, however slow this writer is: it looks before it writes, and again afterwards.
    pub(super) async fn write(
        &self,
        documents: Vec<Result<Versioned, Failure>>,
    ) -> Result<Vec<Result<(), Failure>>, Failure> {
        let mut verdicts = Vec::with_capacity(documents.len());
        let mut sound = Vec::with_capacity(documents.len());
        for (i, document) in documents.into_iter().enumerate() {
            verdicts.push(document.map(|document| sound.push((i, document))));
        }
        if sound.is_empty() {
            return Ok(verdicts);
        }
        let mut reached = BTreeSet::new();
        for _ in 0..ROUNDS {
            let carriers = self.carriers().await.map_err(|error| unavailable_if_gone(&error))?;
            let Carriers { current: Some(current), next } = carriers else {
                self.ensure().await.map_err(|error| unavailable_if_gone(&error))?;
                continue;
            };
            let next_alias = self.next_alias();
            // The new index comes first, and is found in at once: whatever the old one shows, the new one shows too.
            let next = next.filter(|name| !reached.contains(name)).map(|_| (next_alias.as_str(), "true"));
            let current = (!reached.contains(&current)).then_some((&*self.alias, "false"));
            if next.is_none() && current.is_none() {
                return Ok(verdicts);
            }
            for (alias, refresh) in next.into_iter().chain(current) {
                let written = self.bulk(alias, refresh, sound.iter().map(|(_, document)| document)).await;
                let written = written.map_err(|error| error.failure())?;
                reached.extend(reached_by_all(&written));
                for ((i, document), written) in sound.iter().zip(written) {
                    if let Err(failure) = verdict(document, written)? {
                        verdicts[*i] = Err(failure);
                    }
                }
            }
        }
        Err(Store::Search.unavailable(format!("`{}` is replaced again and again", self.alias)))
    }

    /// Writes documents to who carries the alias now, and tells what became of each.
    pub(super) async fn bulk(
        &self,
        alias: &str,
        refresh: &str,
        documents: impl Iterator<Item = &Versioned>,
    ) -> Result<Vec<Written>, Error> {
        let (mut lines, mut count) = (String::new(), 0);
        for document in documents {
            // What has version 0 was published by hand: the last one of these stays.
            let version_type = if document.version == 0 { "external_gte" } else { "external" };
            let target = Target { _index: alias, _id: &document.id, version: document.version, version_type };
            for line in [serde_json::to_string(&Action { index: target }), serde_json::to_string(&document.source)] {
                lines.push_str(&line.map_err(|error| Error::Unreadable(error.to_string()))?);
                lines.push('\n');
            }
            count += 1;
        }
        // An alias that nobody carries must not become an index by being written to.
        let path = format!("/_bulk?require_alias=true&refresh={refresh}");
        let mut answer = self.client.lines(&path, lines).await?;
        let Some(Value::Array(items)) = answer.get_mut("items").map(Value::take) else {
            return Err(Error::Unreadable("a bulk write was answered without its items".to_owned()));
        };
        if items.len() != count {
            return Err(Error::Unreadable(format!("{count} documents were answered with {} items", items.len())));
        }
        items.into_iter().map(|item| written(&item["index"])).collect()
    }
}

fn written(item: &Value) -> Result<Written, Error> {
    let status = item["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    let (Some(status), Some(index)) = (status, item["_index"].as_str()) else {
        return Err(Error::Unreadable("an item of a bulk write has no status, or no index".to_owned()));
    };
    let index = index.to_owned();
    match status {
        200..300 => Ok(Written::Has { index, newer: false }),
        409 => Ok(Written::Has { index, newer: true }),
        _ => match Error::described(status, &item["error"]) {
            error if error.kind() == "index_not_found_exception" => Ok(Written::NoIndex),
            error => Ok(Written::Refused { index, error }),
        },
    }
}

/// The index that every document has come to; none if the alias has moved in the middle of it.
fn reached_by_all(written: &[Written]) -> Option<String> {
    let mut reached = HashMap::new();
    for written in written {
        match written {
            Written::Has { index, .. } | Written::Refused { index, .. } => {
                reached.entry(index).and_modify(|count| *count += 1).or_insert(1);
            }
            Written::NoIndex => return None,
        }
    }
    reached.into_iter().find(|(_, count)| *count == written.len()).map(|(index, _)| index.clone())
}

/// The verdict on one document, or that the server is not to be used now.
fn verdict(document: &Versioned, written: Written) -> Result<Result<(), Failure>, Failure> {
    match written {
        Written::Has { newer: true, .. } if document.version == 0 => Ok(Err(unversioned_is_beaten())),
        Written::Has { .. } | Written::NoIndex => Ok(Ok(())),
        Written::Refused { error, .. } => match error.failure() {
            failure if failure.kind == FailureKind::Unavailable => Err(failure),
            failure => Ok(Err(failure)),
        },
    }
}

/// What is wrong with the index itself is not the messages' fault.
fn unavailable_if_gone(error: &Error) -> Failure {
    Store::Search.unavailable(error)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(status: u16, index: &str, kind: &str) -> Written {
        let error = json!({ "type": kind, "reason": "why" });
        written(&json!({ "_index": index, "_id": "1", "status": status, "error": error })).unwrap()
    }

    fn document(version: i64) -> Versioned {
        Versioned { id: "1".to_owned(), version, source: Value::Null }
    }

    #[test]
    fn each_item_has_a_verdict_of_its_own() {
        let of = |version, status, kind| verdict(&document(version), item(status, "users-1", kind));
        assert_eq!(of(3, 201, ""), Ok(Ok(())));
        assert_eq!(of(3, 409, "version_conflict_engine_exception"), Ok(Ok(())), "it is older");
        assert_eq!(of(0, 409, "version_conflict_engine_exception"), Ok(Err(unversioned_is_beaten())));
        let kind = |status, kind| of(3, status, kind).unwrap().unwrap_err().kind;
        assert_eq!(kind(400, "mapper_parsing_exception"), FailureKind::Reject);
        assert_eq!(kind(500, "something"), FailureKind::Retry);
        for status in [403, 429, 503] {
            assert_eq!(of(3, status, "es_rejected_execution_exception").unwrap_err().kind, FailureKind::Unavailable);
        }
    }

    #[test]
    fn an_index_is_reached_only_by_all_of_the_documents() {
        let (old, new) = (|| item(201, "users-1", ""), || item(409, "users-2", ""));
        let poison = item(400, "users-1", "mapper_parsing_exception");
        assert_eq!(reached_by_all(&[old(), poison]), Some("users-1".to_owned()));
        assert_eq!(reached_by_all(&[old(), new()]), None);
        assert_eq!(reached_by_all(&[old(), item(404, "users", "index_not_found_exception")]), None);
    }

    #[test]
    fn an_answer_that_tells_nothing_of_a_document_is_an_error() {
        for item in [json!({}), json!({ "status": 200 }), json!({ "_index": "users-1", "status": "200" })] {
            assert!(written(&item).is_err(), "{item}");
        }
    }
}
