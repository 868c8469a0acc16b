//! Every document's state is published again when somebody asks for it.

use std::time::Duration;

use bson::{Bson, Document, doc};
use messaging::documents::{Replay, ReplayError, Replayed, replay};
use messaging::{Backoff, Broker, Message, Outgoing, Settings};
use testkit::free_port;

use super::{Rig, Shop, shops, times};
use crate::support::{Job, job, topology, when};

fn present_state(shop: Shop) -> Option<Outgoing> {
    (shop.name != "shop 3").then(|| job("ok").with_header("x-version", shop.version))
}

#[tokio::test]
async fn every_document_is_published_again_page_by_page() {
    let rig = Rig::new().await;
    rig.store(&shops(25)).await;
    let odd = doc! { "_id": "zzz", "name": "not a shop" };
    rig.shops.clone_with_type::<Document>().insert_one(odd).await.unwrap();
    let mut told = Vec::new();
    let settings = Replay { page: 10, ..Replay::default() };
    let publisher = rig.broker.publisher();
    let told_of = |so_far: &Replayed| told.push(so_far.documents);
    let all = replay(&rig.shops, &publisher, settings, present_state, told_of).await.unwrap();
    assert_eq!(told, [10, 20, 26]);
    let last = Some(Bson::from("zzz"));
    assert_eq!(all, Replayed { documents: 26, confirmed: 24, failed: 0, unreadable: 1, last });
    testkit::eventually("all were received", || async { when(times(&rig.notes).len() == 24) }).await;
}

#[tokio::test]
async fn a_replay_goes_on_where_another_ended_and_counts_what_the_broker_would_not_have() {
    let rig = Rig::new().await;
    let all = shops(10);
    rig.store(&all).await;
    let settings = Replay { after: Some(Bson::from(all[5]._id.as_str())), ..Replay::default() };
    let event = |shop: Shop| {
        let routing_key = if shop.name == "shop 9" { "nowhere" } else { Job::ROUTING_KEY };
        Some(Outgoing { routing_key: routing_key.to_owned(), ..job("ok") })
    };
    let rest = replay(&rig.shops, &rig.broker.publisher(), settings, event, |_| {}).await.unwrap();
    assert_eq!((rest.documents, rest.confirmed, rest.failed), (4, 3, 1));
}

#[tokio::test]
async fn a_replay_ends_when_the_broker_stays_away() {
    let rig = Rig::new().await;
    rig.store(&shops(3)).await;
    let nowhere = format!("amqp://guest:guest@127.0.0.1:{}/%2f", free_port());
    let broker = Broker::open(Settings::new(nowhere, "test", topology())).unwrap();
    let patience = Backoff { attempts: 3, base: Duration::from_millis(10), cap: Duration::from_millis(20) };
    let settings = Replay { patience, ..Replay::default() };
    let ended = replay(&rig.shops, &broker.publisher(), settings, present_state, |_| panic!("no page is done")).await;
    assert!(matches!(ended, Err(ReplayError::Broker(_))), "{ended:?}");
}
