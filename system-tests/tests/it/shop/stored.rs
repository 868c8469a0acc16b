//! What lies in a service's database.

use std::collections::BTreeMap;

use bson::Document;
use futures_util::TryStreamExt;
use mongodb::Database;
use serde_json::Value;

/// A collection's documents by their ids, as JSON.
pub(super) async fn documents(database: &Database, collection: &str) -> BTreeMap<String, Value> {
    let found = database.collection(collection).find(Document::new()).await.expect("MongoDB answers");
    let found: Vec<Document> = found.try_collect().await.expect("MongoDB goes on answering");
    let id = |document: &Document| document.get_str("_id").expect("ids are text").to_owned();
    let json = |document: &Document| serde_json::to_value(document).expect("what is stored has a form as JSON");
    found.iter().map(|document| (id(document), json(document))).collect()
}
