//! Whatever the order and however often messages come: the last accepted state is what stays.

use std::sync::LazyLock;

use consumer::handlers::delete_record::DeleteRecords;
use consumer::handlers::insert_record::InsertRecords;
use consumer::handlers::user_sessions::KeepSessions;
use consumer::handlers::user_tasks::KeepUsers;
use consumer::stores::Stores;
use contracts::records::{DeleteRecord, InsertRecord};
use contracts::users::UserEvent;
use messaging::HandleBatch;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redis::AsyncCommands;
use serde_json::{Value, json};
use sqlx::MySqlPool;
use testkit::{TestMongo, TestRedis};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::support::{Servers, delivery, record, user_history};

pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// Runs the check for some dozens of generated cases.
pub(crate) fn for_cases<S: Strategy>(strategy: &S, check: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases: 48, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    if let Err(error) = TestRunner::new(config).run(strategy, check) {
        panic!("{error}");
    }
}

/// In which order, how often and in batches of which size the messages 0..count arrive: each at least once.
pub(crate) fn arrivals(count: usize) -> impl Strategy<Value = (Vec<usize>, usize)> {
    let repeated = proptest::collection::vec(0..count, 0..=count);
    let all = repeated.prop_map(move |repeated| (0..count).chain(repeated).collect::<Vec<_>>());
    (all.prop_shuffle(), 1..=8_usize)
}

#[derive(Clone, Debug)]
enum Change {
    Insert(String),
    Delete,
}

/// The histories of two records, mixed, and their arrival. The version of a change is its place in its history.
fn record_histories() -> impl Strategy<Value = (Vec<Vec<Change>>, Vec<usize>, usize)> {
    let change = prop_oneof![3 => "[a-z]{1,8}".prop_map(Change::Insert), 1 => Just(Change::Delete)];
    let histories = proptest::collection::vec(proptest::collection::vec(change, 1..6), 1..3);
    histories.prop_flat_map(|histories| {
        let count = histories.iter().map(Vec::len).sum();
        (Just(histories), arrivals(count)).prop_map(|(histories, (order, size))| (histories, order, size))
    })
}

#[test]
fn any_order_and_duplication_of_a_records_messages_ends_in_the_last_accepted_state() {
    let (servers, stores) = RUNTIME.block_on(async {
        let servers = Servers::new().await;
        let stores = servers.stores().await;
        count_changes(servers.mysql.pool()).await;
        (servers, stores)
    });
    for_cases(&record_histories(), |(histories, order, size)| {
        RUNTIME.block_on(converge_records(&stores, servers.mysql.pool(), &histories, &order, size))
    });
}

/// Counts true changes beside the table: a row that is merely written again is none.
async fn count_changes(pool: &MySqlPool) {
    for sql in [
        "CREATE TABLE changes (srn VARCHAR(255) COLLATE utf8mb4_bin, version BIGINT)",
        "CREATE TRIGGER inserted AFTER INSERT ON records FOR EACH ROW INSERT INTO changes VALUES (NEW.srn, NEW.version)",
        "CREATE TRIGGER updated AFTER UPDATE ON records FOR EACH ROW INSERT INTO changes SELECT NEW.srn, NEW.version \
         WHERE NOT (NEW.name <=> OLD.name AND NEW.version <=> OLD.version AND NEW.deleted <=> OLD.deleted AND \
         NEW.updated_at <=> OLD.updated_at)",
    ] {
        sqlx::raw_sql(sql).execute(pool).await.expect("the test may count");
    }
}

async fn converge_records(
    stores: &Stores,
    pool: &MySqlPool,
    histories: &[Vec<Change>],
    order: &[usize],
    size: usize,
) -> Result<(), TestCaseError> {
    let unique = Uuid::now_v7().simple().to_string();
    let srns: Vec<_> = (0..histories.len()).map(|i| format!("{unique}-{i}")).collect();
    let messages: Vec<(usize, i64, &Change)> = histories
        .iter()
        .enumerate()
        .flat_map(|(i, history)| (1..).zip(history).map(move |(version, change)| (i, version, change)))
        .collect();
    for batch in order.chunks(size) {
        apply(stores, &srns, batch.iter().map(|&message| messages[message])).await;
    }
    let after_all = rows(pool, &unique).await;
    for (i, history) in histories.iter().enumerate() {
        let found =
            stores.records().expect("the table can be read").get(&srns[i]).await.expect("the table can be read");
        let expected = match &history[history.len() - 1] {
            Change::Insert(name) => Some(record(&srns[i], name)),
            Change::Delete => None,
        };
        prop_assert_eq!(found, expected);
    }
    let counted = changes(pool, &unique).await;
    // All of it once more, in another order: no second effect.
    apply(stores, &srns, messages.iter().copied().rev()).await;
    prop_assert_eq!(rows(pool, &unique).await, after_all);
    let counted_again = changes(pool, &unique).await;
    prop_assert_eq!(counted_again.len(), counted.len());
    let mut once = counted.clone();
    once.dedup();
    prop_assert_eq!(counted, once, "a version took effect twice");
    Ok(())
}

async fn apply(stores: &Stores, srns: &[String], messages: impl Iterator<Item = (usize, i64, &Change)>) {
    let records = stores.records().expect("the roles have MariaDB");
    let (mut inserts, mut deletes) = (Vec::new(), Vec::new());
    for (i, version, change) in messages {
        match change {
            Change::Insert(name) => inserts.push(delivery(InsertRecord(record(&srns[i], name)), version)),
            Change::Delete => deletes.push(delivery(DeleteRecord { srn: srns[i].clone() }, version)),
        }
    }
    // Two queues, two consumers: at the same time.
    let (inserter, deleter) = (InsertRecords(records.clone()), DeleteRecords(records.clone()));
    let (inserted, deleted) = tokio::join!(inserter.handle_batch(&inserts), deleter.handle_batch(&deletes));
    assert!(
        inserted
            .expect("MariaDB takes the batch")
            .into_iter()
            .chain(deleted.expect("MariaDB takes the batch"))
            .all(|verdict| verdict.is_ok())
    );
}

async fn rows(pool: &MySqlPool, unique: &str) -> Vec<(String, String, i64, bool, String)> {
    sqlx::query_as(
        "SELECT srn, name, version, deleted, CAST(updated_at AS CHAR) FROM records WHERE srn LIKE ? ORDER BY srn",
    )
    .bind(format!("{unique}%"))
    .fetch_all(pool)
    .await
    .expect("the table can be read")
}

async fn changes(pool: &MySqlPool, unique: &str) -> Vec<(String, i64)> {
    sqlx::query_as("SELECT srn, version FROM changes WHERE srn LIKE ? ORDER BY srn, version")
        .bind(format!("{unique}%"))
        .fetch_all(pool)
        .await
        .expect("the changes can be read")
}

/// How often a user was updated, whether it was deleted at the end, and the arrival of these events.
pub(crate) fn user_histories() -> impl Strategy<Value = (usize, bool, Vec<usize>, usize)> {
    (0..4_usize, any::<bool>()).prop_flat_map(|(updates, ends_deleted)| {
        let count = 1 + updates + usize::from(ends_deleted);
        arrivals(count).prop_map(move |(order, size)| (updates, ends_deleted, order, size))
    })
}

#[test]
fn any_order_and_duplication_of_a_users_events_ends_in_the_last_accepted_state_in_mongodb() {
    let (servers, stores) = RUNTIME.block_on(async {
        let servers = Servers::new().await;
        let stores = servers.stores().await;
        (servers, stores)
    });
    let handler = KeepUsers(stores.users().unwrap().clone());
    for_cases(&user_histories(), |(updates, ends_deleted, order, size)| {
        RUNTIME.block_on(async {
            let id = Uuid::now_v7();
            let history = user_history(id, updates, ends_deleted);
            handle(&handler, &history, &order, size).await;
            let found = stores.users().unwrap().get(id).await.unwrap();
            let expected = history[history.len() - 1].state();
            prop_assert_eq!(found.as_ref().map(|user| &user.name), expected.map(|state| &state.name));
            let stored = document(&servers.mongo, id).await;
            prop_assert_eq!(stored.get_i64("version").unwrap(), history.len() as i64);
            if ends_deleted {
                prop_assert!(stored.get("email").is_none() && stored.get("name").is_none(), "{}", stored);
            }
            handle(&handler, &history, &order.iter().rev().copied().collect::<Vec<_>>(), size).await;
            prop_assert_eq!(document(&servers.mongo, id).await, stored);
            Ok(())
        })
    });
}

async fn document(mongo: &TestMongo, id: Uuid) -> bson::Document {
    let users = mongo.database().collection::<bson::Document>("users");
    users
        .find_one(bson::doc! { "_id": id.to_string() })
        .await
        .expect("MongoDB can be read")
        .expect("there is a document")
}

#[test]
fn any_order_and_duplication_of_a_users_events_ends_in_the_last_accepted_state_in_redis() {
    let (servers, stores) = RUNTIME.block_on(async {
        let servers = Servers::new().await;
        let stores = servers.stores().await;
        (servers, stores)
    });
    let handler = KeepSessions(stores.profiles().unwrap().clone());
    for_cases(&user_histories(), |(updates, ends_deleted, order, size)| {
        RUNTIME.block_on(async {
            let id = Uuid::now_v7();
            let history = user_history(id, updates, ends_deleted);
            handle(&handler, &history, &order, size).await;
            let (profile, session) = kept(&servers.redis, id).await;
            let profile = profile.expect("the profile, or its tombstone, is there");
            prop_assert_eq!(&profile["version"], &json!(history.len()));
            match history[history.len() - 1].state() {
                Some(state) => {
                    prop_assert_eq!(&profile["name"], &json!(state.name));
                    let session = session.as_ref().expect("the session is there");
                    let expected = json!({ "user_id": id, "name": state.name, "login_time": "2023-11-14T22:13:20Z", "status": "active" });
                    prop_assert_eq!(session, &expected);
                }
                None => prop_assert_eq!(&session, &None),
            }
            handle(&handler, &history, &order.iter().rev().copied().collect::<Vec<_>>(), size).await;
            prop_assert_eq!(kept(&servers.redis, id).await, (Some(profile), session));
            Ok(())
        })
    });
}

async fn kept(redis: &TestRedis, id: Uuid) -> (Option<Value>, Option<Value>) {
    let mut connection = redis.connection().await;
    let texts: (Option<String>, Option<String>) =
        connection.mget(&[format!("user:{id}"), format!("user_session:{id}")]).await.expect("Redis can be read");
    let parsed = |text: Option<String>| text.map(|text| serde_json::from_str(&text).expect("what is kept is JSON"));
    (parsed(texts.0), parsed(texts.1))
}

pub(crate) async fn handle<H: HandleBatch<UserEvent>>(
    handler: &H,
    history: &[UserEvent],
    order: &[usize],
    size: usize,
) {
    for batch in order.chunks(size) {
        let batch: Vec<_> = batch.iter().map(|&i| delivery(history[i].clone(), i as i64 + 1)).collect();
        let verdicts = handler.handle_batch(&batch).await.expect("the store takes the batch");
        assert!(verdicts.iter().all(Result::is_ok), "{verdicts:?}");
    }
}
