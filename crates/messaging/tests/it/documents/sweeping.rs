//! What nobody sent is found by the sweep of any process.

use std::time::{Duration, Instant};

use bson::{Bson, DateTime, Document, doc};
use messaging::documents::{Entry, RelaySettings};

use super::{Rig, Shop, shops, times};
use crate::support::job;

#[tokio::test]
async fn what_a_process_wrote_and_did_not_live_to_send_is_sent_by_another() {
    let rig = Rig::new().await;
    let (dead, never_run) = rig.outbox(RelaySettings::default()).await;
    let all = shops(20);
    let sent = rig.store(&all).await;
    for shop in &all {
        dead.written(shop._id.as_str(), &shop.outbox);
    }
    drop(never_run);
    let relay = rig.start(RelaySettings::default()).await;
    rig.received_all(&sent).await;
    rig.drained().await;
    rig.received_nothing_but(&sent);
    relay.stop().await;
}

#[tokio::test]
async fn a_sweep_leaves_a_new_entry_to_its_writer() {
    let rig = Rig::new().await;
    let relay = rig.start(RelaySettings { sweep_every: Duration::from_millis(50), ..RelaySettings::default() }).await;
    let shop = Shop::new("a shop");
    let written = Instant::now();
    let sent = rig.store(std::slice::from_ref(&shop)).await;
    rig.received_all(&sent).await;
    assert!(written.elapsed() > Duration::from_millis(1900), "swept up after {:?}", written.elapsed());
    relay.stop().await;
}

#[tokio::test]
async fn relays_that_sweep_at_the_same_time_lose_nothing_and_leave_nothing() {
    let rig = Rig::new().await;
    let all = shops(3000);
    let sent = rig.store(&all).await;
    let settings = RelaySettings { sweep_every: Duration::from_millis(50), batch: 100, ..RelaySettings::default() };
    let (one, other) = (rig.start(settings.clone()).await, rig.start(settings).await);
    rig.received_all(&sent).await;
    rig.drained().await;
    assert!(times(&rig.notes).keys().all(|id| sent.contains(id)), "a repetition has its first one's id");
    one.stop().await;
    other.stop().await;
}

/// An entry as something else than this library would write it.
async fn store_entry(rig: &Rig, id: &str, change: Document) -> Entry {
    let entry = Entry::new(job("ok"));
    let Bson::Document(mut stored) = Bson::from(entry.clone()) else { unreachable!("an entry is a document") };
    stored.extend(change);
    let shop = doc! { "_id": id, "name": id, "version": 1_i64, "outbox": [stored] };
    rig.shops.clone_with_type::<Document>().insert_one(shop).await.expect("MongoDB takes the shop");
    entry
}

#[tokio::test]
async fn an_entry_whose_writer_had_a_wrong_clock_is_sent() {
    let rig = Rig::new().await;
    let ahead = DateTime::now().saturating_add_duration(Duration::from_secs(3600));
    let ahead = store_entry(&rig, "ahead", doc! { "due": ahead, "at": ahead }).await;
    let behind = DateTime::from_millis(0);
    let behind = store_entry(&rig, "behind", doc! { "due": behind, "at": behind }).await;
    let relay = rig.start(RelaySettings::default()).await;
    let sent = [ahead.id(), behind.id()].into();
    rig.received_all(&sent).await;
    rig.drained().await;
    rig.received_nothing_but(&sent);
    relay.stop().await;
}

#[tokio::test]
async fn entries_that_cannot_be_read_are_left_alone_and_hold_up_nobody() {
    let rig = Rig::new().await;
    let settings = RelaySettings { batch: 3, sweep_every: Duration::from_millis(100), ..RelaySettings::default() };
    let long_ago = DateTime::from_millis(1_000);
    for n in 0..10 {
        store_entry(&rig, &format!("odd {n}"), doc! { "due": long_ago, "body": n }).await;
    }
    let all = shops(10);
    let sent = rig.store(&all).await;
    let relay = rig.start(settings).await;
    rig.received_all(&sent).await;
    testkit::eventually("only the odd ones are left", || async {
        crate::support::when(rig.shops.count_documents(doc! { "outbox.0": { "$exists": true } }).await.unwrap() == 10)
    })
    .await;
    rig.received_nothing_but(&sent);
    relay.stop().await;
}

#[tokio::test]
async fn a_sweep_reads_by_the_index_and_not_the_whole_collection() {
    let rig = Rig::new().await;
    rig.outbox(RelaySettings::default()).await.0.ensure_index().await.unwrap();
    rig.store(&shops(1)).await;
    let database = rig.mongo.database();
    for due in ["$lte", "$gt"] {
        let find = doc! { "find": "shops", "filter": { "outbox.due": { due: DateTime::now() } } };
        let plan = database.run_command(doc! { "explain": find }).await.unwrap();
        let plan = plan.get_document("queryPlanner").unwrap().get_document("winningPlan").unwrap().to_string();
        assert!(plan.contains("IXSCAN") && plan.contains("outbox_due"), "{plan}");
    }
}
