//! Messages with the same key arrive in the order in which they were stored.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use messaging::outbox::RelaySettings;
use messaging::{Outgoing, header};
use serde_json::json;
use testkit::eventually;

use super::{Rig, Started};
use crate::support::{EXCHANGE, when};

const ASIDE: &str = "aside";
const KEYS: usize = 25;
const EACH: usize = 80;

/// The n-th message of a key.
fn keyed(key: usize, n: usize) -> Outgoing {
    Outgoing::raw(EXCHANGE, ASIDE, "job", json!({ "n": n }).to_string()).with_key(format!("key {key}"))
}

/// A rig with a queue that nobody consumes.
async fn rig() -> Rig {
    let rig = Rig::new().await;
    rig.rabbit.declare_queue(ASIDE, json!({ "x-queue-type": "quorum" })).await;
    rig.rabbit.bind(ASIDE, EXCHANGE, ASIDE).await;
    rig
}

/// Stores the messages of all keys in turn, many in one transaction; one key is much busier than the others.
async fn store_many(rig: &Rig) {
    let mut messages: Vec<Outgoing> = (0..EACH).flat_map(|n| (1..KEYS).map(move |key| keyed(key, n))).collect();
    for n in 0..EACH * 10 {
        messages.insert(n * messages.len() / (EACH * 10), keyed(0, n));
    }
    for together in messages.chunks(300) {
        rig.store(together).await;
    }
}

/// Takes all messages from the queue: of each key the numbers as they come, each at its first coming.
async fn arrived(rig: &Rig) -> BTreeMap<String, Vec<u64>> {
    let mut arrived = BTreeMap::<String, Vec<u64>>::new();
    let mut seen = BTreeSet::new();
    loop {
        let taken = rig.rabbit.take(ASIDE, 1000).await;
        if taken.is_empty() {
            return arrived;
        }
        for message in taken {
            if seen.insert(message.properties["message_id"].to_string()) {
                let key = message.headers[header::KEY].as_str().expect("each has a key").to_owned();
                arrived.entry(key).or_default().push(message.json()["n"].as_u64().expect("each has a number"));
            }
        }
    }
}

fn all_in_order(arrived: BTreeMap<String, Vec<u64>>) {
    assert_eq!(arrived.len(), KEYS);
    for (key, numbers) in arrived {
        let wanted = if key == "key 0" { EACH * 10 } else { EACH };
        assert!(numbers.iter().copied().eq(0..wanted as u64), "{key}: {numbers:?}");
    }
}

fn small_pages() -> RelaySettings {
    RelaySettings { page_rows: 100, ..RelaySettings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_with_the_same_key_arrive_in_their_order_over_however_many_channels_and_pages() {
    let rig = rig().await;
    store_many(&rig).await;
    let relay = Started::start(rig.relay(small_pages()));
    eventually("all are sent", || async { when(rig.outbox.backlog().await.unwrap() == 0) }).await;
    all_in_order(arrived(&rig).await);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_do_so_although_the_connection_is_cut_again_and_again() {
    let rig = rig().await;
    store_many(&rig).await;
    let relay = Started::start(rig.relay(small_pages()));
    for part in [3, 2, 1] {
        let left = (EACH * (KEYS + 9) * part / 4) as u64;
        eventually("a part is sent", || async { when(rig.outbox.backlog().await.unwrap() <= left) }).await;
        rig.rabbit.close_connections().await;
    }
    eventually("all are sent", || async { when(rig.outbox.backlog().await.unwrap() == 0) }).await;
    all_in_order(arrived(&rig).await);
    relay.stop().await;
}

/// As a transaction that has written something else before it waited for the row.
#[tokio::test]
async fn the_order_is_that_of_the_rows_and_not_of_the_transactions_ids() {
    let rig = rig().await;
    let mut begun_first = rig.pool().begin().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id()").execute(&mut *begun_first).await.unwrap();
    rig.store(&[keyed(0, 0)]).await;
    rig.outbox.enqueue(&mut begun_first, &[keyed(0, 1)]).await.unwrap();
    begun_first.commit().await.unwrap();
    let relay = rig.start();
    eventually("both are sent", || async { when(rig.outbox.backlog().await.unwrap() == 0) }).await;
    assert_eq!(arrived(&rig).await, BTreeMap::from([("key 0".to_owned(), vec![0, 1])]));
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_sends_in_order_what_is_to_be_and_the_rest_beside_it() {
    let rig = rig().await;
    let publisher = rig.broker.publisher();
    let sent = (0..KEYS).map(|key| publisher.publish_in_order((0..EACH).map(move |n| keyed(key, n))));
    let outcomes = join_all(sent).await;
    assert!(outcomes.iter().flatten().all(|outcome| *outcome == messaging::Outcome::Confirmed));
    let numbers = arrived(&rig).await;
    assert!(numbers.values().all(|numbers| numbers.iter().copied().eq(0..EACH as u64)), "{numbers:?}");
}
