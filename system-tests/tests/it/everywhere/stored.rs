//! What lies in those stores that only a new user with preferences comes to. The others are audited as ever.

use std::collections::{BTreeMap, BTreeSet};

use bson::Document;
use futures_util::TryStreamExt;
use mongodb::Database;
use serde_json::{Value, json};
use system_tests::{Ask, Site};
use testkit::{TestMail, TestSearch};

use super::creating::User;
use super::{Everywhere, MAILED_AT_ONCE};
use crate::audit::Findings;

type Stored = BTreeMap<String, Value>;

/// Fails unless each user has its preferences, its welcome and its document in the index, and nobody else has.
pub(super) async fn audit(everywhere: &Everywhere) {
    let Everywhere { world, search: (search, _), mail, users, outages } = everywhere;
    let by_id = |value: &dyn Fn(&User) -> Value| -> Stored {
        users.iter().map(|user| (user.id.to_string(), value(user))).collect()
    };
    let mut found = Findings::default();
    let mongodb = world.servers.mongodb().await;

    let expected = by_id(&|user| json!([user.id, user.preferences, 1, false]));
    let fields = ["user_id", "preferences", "version", "deleted"];
    found.compare("preferences", &expected, &documents(&mongodb, "user_preferences", &fields).await);

    let state = if mail.is_some() { "sent" } else { "stored" };
    let expected = by_id(&|user| json!([user.id, user.email, state, 1, false]));
    let fields = ["user_id", "email", "state", "version", "deleted"];
    found.compare("a welcome", &expected, &documents(&mongodb, "welcome_messages", &fields).await);

    let expected = by_id(&|user| {
        let searchable = format!("{} {}", user.name, user.email);
        json!([user.id, user.name, user.email, searchable, 1, false])
    });
    let indexed = in_index(search, &mut found).await;
    found.compare("a document in the index", &expected, &indexed);
    if let Some((mail, _)) = mail {
        mails(mail, users, *outages, &mut found).await;
    }
    found.none();
}

/// These fields of all documents of a collection.
async fn documents(database: &Database, collection: &str, fields: &[&str]) -> Stored {
    let all = database.collection::<Document>(collection).find(Document::new()).await.expect("MongoDB answers");
    let all: Vec<Document> = all.try_collect().await.expect("MongoDB goes on answering");
    let stored = |document: Document| {
        let id = document.get_str("_id").expect("ids are text").to_owned();
        (id, only(&serde_json::to_value(document).expect("what is stored has a form as JSON"), fields))
    };
    all.into_iter().map(stored).collect()
}

fn only(object: &Value, fields: &[&str]) -> Value {
    fields.iter().map(|field| object[field].clone()).collect()
}

/// What the search has of users. Its only shard numbers each write that changed something: so a document that was written
/// twice is noticed too.
async fn in_index(search: &TestSearch, found: &mut Findings) -> Stored {
    let (site, index) = (Site::behind(search.url()), search.index("users"));
    site.post(&format!("/{index}/_refresh"), &json!({})).answer().await.expect(200);
    let all = json!({ "size": 10_000, "seq_no_primary_term": true });
    let answer = site.post(&format!("/{index}/_search"), &all).answer().await.expect(200).json();
    let hits = answer["hits"]["hits"].as_array().expect("an answer has hits");
    let writes = hits.iter().filter_map(|hit| hit["_seq_no"].as_u64()).max().map_or(0, |last| last + 1);
    if writes != hits.len() as u64 {
        found.add(format!("{} documents came into the index by {writes} writes", hits.len()));
    }
    let fields = ["user_id", "name", "email", "searchable_text", "version", "deleted"];
    let document = |hit: &Value| (hit["_id"].as_str().unwrap_or_default().to_owned(), only(&hit["_source"], &fields));
    hits.iter().map(document).collect()
}

/// Each user was mailed. A mail whose end was not heard of goes again with its old id, by which mail programs know it.
async fn mails(mail: &TestMail, users: &[User], outages: usize, found: &mut Findings) {
    let mails = mail.received().await;
    let mut ids: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for mail in &mails {
        ids.entry(mail.to.clone()).or_default().insert(mail.header("message-id").unwrap_or_default());
    }
    let mailed = ids.iter().map(|(to, ids)| (to.clone(), ids.len())).collect();
    found.compare("a mail", &users.iter().map(|user| (user.email.clone(), 1)).collect(), &mailed);
    let again = mails.len() - ids.len();
    if again > outages * MAILED_AT_ONCE {
        found.add(format!("{again} mails went again, in {outages} outages"));
    }
}
