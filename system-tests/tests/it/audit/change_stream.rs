//! A stream of all changes in MongoDB.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bson::{Document, doc};
use futures_util::StreamExt;
use mongodb::Database;
use mongodb::change_stream::event::ChangeStreamEvent;
use testkit::eventually;

/// A document that is made at the end: when its change is seen, so are all before it.
const LAST: &str = "last";

/// Follows the stream as long as the test lives.
#[derive(Debug)]
pub(super) struct ChangeStream {
    database: Database,
    seen: Seen,
}

/// How often each change was seen.
type Seen = Arc<Mutex<BTreeMap<String, i64>>>;

impl ChangeStream {
    pub(super) async fn open(database: Database) -> Self {
        let mut stream = database.watch().await.expect("MongoDB tells of changes");
        let seen = Seen::default();
        let noted = seen.clone();
        tokio::spawn(async move {
            while let Some(Ok(event)) = stream.next().await {
                *noted.lock().expect("nothing panics while it is held").entry(change(&event)).or_default() += 1;
            }
        });
        Self { database, seen }
    }

    /// How often each change was made that was made more than once. Asked once, at the end.
    pub(super) async fn doubled(&self) -> BTreeMap<String, i64> {
        let last = self.database.collection::<Document>(LAST).insert_one(doc! { "_id": LAST }).await;
        last.expect("MongoDB answers");
        let last = format!("{LAST} {LAST}");
        eventually("the last change is told", async || {
            self.seen.lock().expect("nothing panics while it is held").contains_key(&last).then_some(())
        })
        .await;
        let seen = self.seen.lock().expect("nothing panics while it is held");
        seen.iter().filter(|(_, count)| **count > 1).map(|(change, count)| (change.clone(), *count)).collect()
    }
}

/// Which document was changed, and to which version if it has one: a text has none, and is never to change.
fn change(event: &ChangeStreamEvent<Document>) -> String {
    let collection = event.ns.as_ref().and_then(|ns| ns.coll.as_deref()).unwrap_or_default();
    let id = event.document_key.as_ref().and_then(|key| key.get_str("_id").ok()).unwrap_or_default();
    let fields = event.update_description.as_ref().map(|update| &update.updated_fields);
    match fields.or(event.full_document.as_ref()).and_then(|fields| fields.get_i64("version").ok()) {
        Some(version) => format!("{collection} {id} to version {version}"),
        None => format!("{collection} {id}"),
    }
}
