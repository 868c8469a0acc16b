//! What was committed is sent, in whatever order the transactions end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use messaging::Outgoing;
use messaging::outbox::Outbox;
use rand::Rng;
use serde_json::json;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Postgres, Transaction};
use testkit::postgres;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Rig, ids, jobs};
use crate::support::{EXCHANGE, job};

const WRITERS: usize = 32;

fn random(range: std::ops::Range<usize>) -> usize {
    rand::rng().random_range(range)
}

/// Transactions that were begun and not ended, with their messages.
type Open = Arc<Mutex<Vec<(Transaction<'static, Postgres>, Vec<Uuid>)>>>;

/// Begins a transaction, then ends any of those that are open, so that they end in another order than they began.
async fn write(rig: Arc<Rig>, pool: sqlx::PgPool, open: Open) -> Vec<Uuid> {
    let mut committed = Vec::new();
    for _ in 0..30 {
        let mut transaction = pool.begin().await.expect("the database is there");
        let mut written = Vec::new();
        for _ in 0..random(1..4) {
            let messages = jobs(random(1..5));
            rig.outbox.enqueue(&mut transaction, &messages).await.expect("messages can be stored");
            written.extend(ids(&messages));
        }
        let (transaction, written) = {
            let mut open = open.lock().expect("no writer panics");
            open.push((transaction, written));
            let any = random(0..open.len());
            open.swap_remove(any)
        };
        if random(0..10) == 0 {
            transaction.rollback().await.expect("the database is there");
        } else {
            transaction.commit().await.expect("the database is there");
            rig.outbox.wake();
            committed.extend(written);
        }
    }
    committed
}

async fn write_concurrently(rig: &Arc<Rig>) -> Vec<Uuid> {
    // Each writer has one transaction of its own open, and may leave another's behind.
    let pool = PgPoolOptions::new().max_connections(2 * WRITERS as u32).connect(rig.postgres.url()).await;
    let pool = pool.expect("the database is there");
    // Some stay open all the time.
    let open = Open::default();
    for _ in 0..WRITERS / 2 {
        let transaction = pool.begin().await.expect("the database is there");
        open.lock().expect("no writer panics").push((transaction, Vec::new()));
    }
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(write(rig.clone(), pool.clone(), open.clone()));
    }
    let mut committed = writers.join_all().await.concat();
    let left = std::mem::take(&mut *open.lock().expect("no writer panics"));
    for (transaction, written) in left {
        transaction.commit().await.expect("the database is there");
        committed.extend(written);
    }
    committed
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_skipped_when_many_transactions_end_in_another_order_than_they_began() {
    let rig = Arc::new(Rig::new().await);
    let relay = rig.start();
    let committed = write_concurrently(&rig).await;
    assert!(committed.len() > 1000, "that is too few to show anything");
    rig.received_once(committed).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_stays_open_holds_up_nobody_and_is_sent_at_its_commit() {
    let rig = Arc::new(Rig::new().await);
    let relay = rig.start();
    let late = jobs(1500);
    let mut open = rig.pool().begin().await.unwrap();
    rig.outbox.enqueue(&mut open, &late[..700]).await.unwrap();

    let mut committed = write_concurrently(&rig).await;
    rig.received_once(committed.clone()).await;

    rig.outbox.enqueue(&mut open, &late[700..]).await.unwrap();
    open.commit().await.unwrap();
    committed.extend(ids(&late));
    rig.received_once(committed).await;
    relay.stop().await;
}

#[tokio::test]
async fn a_message_arrives_as_it_was_stored() {
    let rig = Rig::new().await;
    rig.rabbit.declare_queue("aside", json!({})).await;
    rig.rabbit.bind("aside", EXCHANGE, "aside").await;
    let mut message = Outgoing::raw(EXCHANGE, "aside", "a.kind", r#"{"a":1}"#)
        .with_correlation_id("abc")
        .with_header("x-version", 7)
        .with_header("x-odd", "a\0b\"\\{},NULL");
    message.reply_to = Some("answers".to_owned());
    message.expiration = Some(Duration::from_secs(3600));
    // Next to one that has none of it.
    let id = rig.store(&[job("ok"), message]).await[1];
    let relay = rig.start();

    let taken =
        testkit::eventually("the message is in the queue", || async { rig.rabbit.take("aside", 1).await.pop() }).await;
    assert_eq!(taken.json(), json!({"a": 1}));
    assert_eq!(taken.headers, json!({"x-version": 7, "x-odd": "a\0b\"\\{},NULL"}));
    assert_eq!(taken.properties["message_id"], json!(id.to_string()));
    assert_eq!(taken.properties["type"], "a.kind");
    assert_eq!(taken.properties["correlation_id"], "abc");
    assert_eq!(taken.properties["reply_to"], "answers");
    assert_eq!(taken.properties["expiration"], "3600000");
    relay.stop().await;
}

#[tokio::test]
async fn the_backlog_counts_what_is_not_confirmed() {
    let rig = Rig::new().await;
    assert_eq!(rig.outbox.backlog().await.unwrap(), 0);
    rig.store(&jobs(5)).await;
    let unroutable = Outgoing::raw(EXCHANGE, "nobody", "job", "{}");
    rig.store(&[unroutable]).await;
    assert_eq!(rig.outbox.backlog().await.unwrap(), 6);

    let mut rolled_back = rig.pool().begin().await.unwrap();
    rig.outbox.enqueue(&mut rolled_back, &jobs(1000)).await.unwrap();
    rolled_back.rollback().await.unwrap();

    let relay = rig.start();
    testkit::eventually("only the parked message is left", || async {
        crate::support::when(rig.outbox.backlog().await.unwrap() == 1)
    })
    .await;
    relay.stop().await;
}

#[tokio::test]
async fn an_idle_relay_writes_nothing() {
    let rig = Rig::new().await;
    let relay = rig.start();
    let sent = rig.store(&jobs(1)).await;
    rig.received_once(sent).await;
    let before: i64 = rig.scalar("SELECT max(id) FROM outbox.progress").await;
    // Its own snapshots show that it has looked again and again.
    let seen = "SELECT query_start FROM pg_stat_activity WHERE application_name = 'outbox relay' AND datname = current_database()";
    let first: time::OffsetDateTime = rig.scalar(seen).await;
    testkit::eventually("the relay has looked for a second", || async {
        let now: time::OffsetDateTime = rig.scalar(seen).await;
        crate::support::when(now - first > time::Duration::SECOND)
    })
    .await;
    let after: i64 = rig.scalar("SELECT max(id) FROM outbox.progress").await;
    assert!(after - before <= 2, "{} records without a message", after - before);
    relay.stop().await;
}

#[tokio::test]
async fn several_processes_install_at_once() {
    let database = postgres().await;
    let mut installs = JoinSet::new();
    for _ in 0..8 {
        let pool = database.pool().clone();
        installs.spawn(async move { Outbox::install(&pool).await });
    }
    for installed in installs.join_all().await {
        installed.expect("each finds the schema, or makes it");
    }
}

#[tokio::test]
async fn installing_again_waits_for_no_writer() {
    let rig = Rig::new().await;
    let mut open = rig.pool().begin().await.unwrap();
    rig.outbox.enqueue(&mut open, &jobs(1)).await.unwrap();
    Outbox::install(rig.pool()).await.expect("the schema is there already");
}
