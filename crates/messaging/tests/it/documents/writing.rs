//! State and message are one write, and the message goes out at once.

use std::collections::BTreeSet;
use std::time::Duration;

use bson::doc;
use futures_util::future::join_all;
use messaging::documents::{DocumentOutbox, Entry, RelaySettings};
use serde_json::json;
use testkit::{mongodb, rabbitmq};
use uuid::Uuid;

use super::{Rig, Shop, Started, drained, shops, times, without_sweeps};
use crate::support::{QUEUE, broker, job};

#[tokio::test]
async fn a_state_and_its_message_are_one_write_and_the_message_goes_out_at_once() {
    let rig = Rig::new().await;
    let (outbox, relay) = rig.outbox(without_sweeps()).await;
    let relay = Started::start(relay);
    let shop = Shop::new("a shop");
    rig.shops.insert_one(&shop).await.unwrap();
    outbox.written(shop._id.as_str(), &shop.outbox);
    rig.received_all(&shop.ids().into_iter().collect()).await;
    rig.drained().await;
    let stored = rig.document(&shop).await;
    assert_eq!(stored, doc! { "_id": &shop._id, "name": "a shop", "version": 1_i64, "outbox": [] });
    relay.stop().await;
}

#[tokio::test]
async fn a_message_arrives_with_all_that_it_was_written_with() {
    let (mongo, rabbit) = (mongodb().await, rabbitmq().await);
    let broker = broker(rabbit.url()).await;
    let collection = mongo.database().collection::<Shop>("shops");
    let (outbox, relay) = DocumentOutbox::new(&collection, broker.publisher(), without_sweeps());
    let relay = Started::start(relay);
    let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let message =
        job("ok").with_header("x-version", 7).with_header("traceparent", traceparent).with_correlation_id("abc");
    let shop = Shop { outbox: vec![Entry::new(message.clone())], ..Shop::new("a shop") };
    collection.insert_one(&shop).await.unwrap();
    outbox.written(shop._id.as_str(), &shop.outbox);
    drained(&collection).await;

    let taken = rabbit.take(QUEUE, 10).await;
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].properties["message_id"], json!(message.id.to_string()));
    assert_eq!(taken[0].properties["type"], json!("job"));
    assert_eq!(taken[0].properties["correlation_id"], json!("abc"));
    assert_eq!(taken[0].headers["x-version"], json!(7));
    assert_eq!(taken[0].headers["traceparent"], json!(traceparent));
    assert_eq!(taken[0].json(), json!({"will": "ok"}));
    relay.stop().await;
}

#[tokio::test]
async fn a_change_that_came_too_late_sends_nothing() {
    let rig = Rig::new().await;
    let relay = rig.start(RelaySettings::default()).await;
    let shop = Shop::new("a shop");
    let sent = rig.store(std::slice::from_ref(&shop)).await;
    let late = doc! { "_id": &shop._id, "version": 0 };
    let change = doc! { "$inc": { "version": 1 }, "$push": { "outbox": Entry::new(job("ok")) } };
    assert_eq!(rig.shops.update_one(late, change).await.unwrap().matched_count, 0);
    rig.received_all(&sent).await;
    rig.drained().await;
    rig.received_nothing_but(&sent);
    relay.stop().await;
}

/// Changes a shop under the condition that nobody else does meanwhile, until it succeeds. Returns the new entry's id.
async fn change(rig: &Rig, outbox: &DocumentOutbox, id: &str, replace: bool) -> Uuid {
    loop {
        let found = rig.shops.find_one(doc! { "_id": id }).await;
        let mut shop = found.expect("MongoDB answers").expect("the shop is there");
        let entry = Entry::new(job("ok").with_header("x-version", shop.version + 1));
        let unchanged = doc! { "_id": id, "version": shop.version };
        let matched = if replace {
            shop.version += 1;
            shop.outbox.push(entry.clone());
            rig.shops.replace_one(unchanged, shop).await
        } else {
            let change = doc! { "$inc": { "version": 1 }, "$push": { "outbox": entry.clone() } };
            rig.shops.update_one(unchanged, change).await
        };
        if matched.expect("MongoDB answers").matched_count == 1 {
            outbox.written(id, std::slice::from_ref(&entry));
            return entry.id();
        }
    }
}

#[tokio::test]
async fn a_document_that_is_changed_while_its_entries_are_removed_loses_nothing() {
    for replace in [false, true] {
        let rig = Rig::new().await;
        let (outbox, relay) = rig.outbox(RelaySettings::default()).await;
        let relay = Started::start(relay);
        let shop = Shop::new("a busy shop");
        let mut sent = rig.store(std::slice::from_ref(&shop)).await;
        let writers = (0..4).map(|_| async {
            let mut ids = BTreeSet::new();
            for _ in 0..30 {
                ids.insert(change(&rig, &outbox, &shop._id, replace).await);
            }
            ids
        });
        sent.extend(join_all(writers).await.into_iter().flatten());
        assert_eq!(sent.len(), 121);
        rig.received_all(&sent).await;
        rig.drained().await;
        let stored = rig.document(&shop).await;
        assert_eq!(stored.get_i64("version").unwrap(), 121, "replacing: {replace}");
        assert_eq!(stored.get_str("name").unwrap(), "a busy shop");
        // A replacement may put back what was just removed, and then that is sent again, under the same id.
        assert!(times(&rig.notes).keys().all(|id| sent.contains(id)), "something was sent that was never written");
        relay.stop().await;
    }
}

#[tokio::test]
async fn ten_thousand_documents_are_drained_and_none_keeps_an_entry() {
    let rig = Rig::new().await;
    let all = shops(10_000);
    let sent = rig.store(&all).await;
    let relay = rig.start(RelaySettings::default()).await;
    rig.received_all(&sent).await;
    rig.drained().await;
    rig.received_nothing_but(&sent);
    let kept = rig.shops.count_documents(doc! { "name": { "$exists": true }, "version": 1 }).await.unwrap();
    assert_eq!(kept, 10_000);
    relay.stop().await;
}

#[tokio::test]
async fn what_is_written_too_fast_to_be_kept_in_memory_is_swept_up() {
    let rig = Rig::new().await;
    let settings = RelaySettings { waiting_entries: 5, batch: 2, batches_in_flight: 1, ..RelaySettings::default() };
    let (outbox, relay) = rig.outbox(settings).await;
    let all = shops(50);
    let sent = rig.store(&all).await;
    for shop in &all {
        outbox.written(shop._id.as_str(), &shop.outbox);
    }
    let relay = Started::start(relay);
    rig.received_all(&sent).await;
    rig.drained().await;
    rig.received_nothing_but(&sent);
    relay.stop().await;
}

#[tokio::test]
async fn a_document_can_be_kept_from_growing_while_nothing_is_sent() {
    let rig = Rig::new().await;
    let shop = Shop::new("a shop");
    rig.store(std::slice::from_ref(&shop)).await;
    let mut newest = BTreeSet::new();
    for n in 0..10 {
        let entry = Entry::new(job("ok"));
        if n >= 7 {
            newest.insert(entry.id());
        }
        let push = doc! { "$inc": { "version": 1 }, "$push": { "outbox": { "$each": [entry], "$slice": -3 } } };
        rig.shops.update_one(doc! { "_id": &shop._id }, push).await.unwrap();
    }
    let full = doc! { "_id": &shop._id, "outbox.2": { "$exists": false } };
    let push = doc! { "$push": { "outbox": Entry::new(job("ok")) } };
    assert_eq!(rig.shops.update_one(full, push).await.unwrap().matched_count, 0);

    let relay = rig.start(RelaySettings { sweep_every: Duration::from_millis(100), ..RelaySettings::default() }).await;
    rig.received_all(&newest).await;
    rig.drained().await;
    rig.received_nothing_but(&newest);
    relay.stop().await;
}
