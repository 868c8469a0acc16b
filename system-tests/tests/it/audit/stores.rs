//! The read stores.

use std::collections::BTreeMap;

use bson::Document;
use futures_util::TryStreamExt;
use mongodb::Database;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, RedisResult};
use serde_json::Value;
use sqlx::MySqlPool;

use super::{State, States};

pub(super) async fn records(pool: &MySqlPool) -> States {
    let sql = "SELECT srn, version, IF(deleted, NULL, name) FROM records";
    let rows: Vec<(String, i64, Option<String>)> = sqlx::query_as(sql).fetch_all(pool).await.expect("the table exists");
    rows.into_iter().map(|(srn, version, name)| (srn, State { version, name })).collect()
}

pub(super) async fn users(database: &Database) -> States {
    let users = documents(database, "users").await;
    let user = |user: &Document| {
        let state = State {
            version: user.get_i64("version").expect("an integer"),
            name: user.get_str("name").ok().map(str::to_owned),
        };
        (user.get_str("_id").expect("ids are text").to_owned(), state)
    };
    users.iter().map(user).collect()
}

/// The ids of the messages that brought each text.
pub(super) async fn texts(database: &Database) -> BTreeMap<String, Vec<String>> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for text in documents(database, "messages").await {
        let (id, text) = (text.get_str("_id"), text.get_str("message"));
        texts.entry(text.expect("a text").to_owned()).or_default().push(id.expect("ids are text").to_owned());
    }
    texts
}

async fn documents(database: &Database, collection: &str) -> Vec<Document> {
    let found = database.collection(collection).find(Document::new()).await.expect("MongoDB answers");
    found.try_collect().await.expect("MongoDB goes on answering")
}

pub(super) async fn profiles(redis: &mut MultiplexedConnection) -> States {
    let profile = |(id, profile): (String, Value)| {
        let name = profile["name"].as_str().map(str::to_owned);
        (id, State { version: profile["version"].as_i64().unwrap_or_default(), name })
    };
    values(redis, "user:").await.expect("Redis answers").into_iter().map(profile).collect()
}

/// The names in the sessions.
pub(super) async fn sessions(redis: &mut MultiplexedConnection) -> BTreeMap<String, String> {
    let session = |(id, session): (String, Value)| (id, session["name"].as_str().unwrap_or_default().to_owned());
    values(redis, "user_session:").await.expect("Redis answers").into_iter().map(session).collect()
}

/// What is stored under keys with this prefix, by the rest of the key.
async fn values(redis: &mut MultiplexedConnection, prefix: &str) -> RedisResult<Vec<(String, Value)>> {
    let keys: Vec<String> = redis.keys(format!("{prefix}*")).await?;
    let mut values = Vec::with_capacity(keys.len());
    for some in keys.chunks(1000) {
        let texts: Vec<String> = redis.mget(some).await?;
        let ids = some.iter().map(|key| key[prefix.len()..].to_owned());
        values.extend(ids.zip(texts.iter().map(|text| serde_json::from_str(text).expect("values are JSON"))));
    }
    Ok(values)
}
