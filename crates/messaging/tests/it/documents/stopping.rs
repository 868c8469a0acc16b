//! A stop finishes what was written, within its limit.

use std::time::{Duration, Instant};

use bson::doc;
use messaging::documents::{DocumentOutbox, RelaySettings};
use testkit::{eventually, mongodb, proxy, rabbitmq};

use super::{Rig, Shop, Started, shops, without_sweeps};
use crate::support::{broker, when};

#[tokio::test]
async fn a_stop_sends_what_was_written_before_it() {
    let rig = Rig::new().await;
    let (outbox, relay) = rig.outbox(RelaySettings { batch: 50, batches_in_flight: 2, ..without_sweeps() }).await;
    let all = shops(1000);
    let sent = rig.store(&all).await;
    let relay = Started::start(relay);
    for shop in &all {
        outbox.written(shop._id.as_str(), &shop.outbox);
    }
    relay.stop().await;
    assert_eq!(rig.shops.count_documents(doc! { "outbox.0": { "$exists": true } }).await.unwrap(), 0);
    rig.received_all(&sent).await;
    rig.received_nothing_but(&sent);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_broker_that_is_silent() {
    let (mongo, rabbit) = (mongodb().await, rabbitmq().await);
    let cut = proxy(rabbit.url()).await;
    let broker = broker(&cut.url_for(rabbit.url())).await;
    let collection = mongo.database().collection::<Shop>("shops");
    let settings = RelaySettings { stop_within: Duration::from_millis(500), ..without_sweeps() };
    let (outbox, relay) = DocumentOutbox::new(&collection, broker.publisher(), settings);
    let relay = Started::start(relay);
    let shop = Shop::new("a shop");
    collection.insert_one(&shop).await.unwrap();
    cut.blackhole().await;
    outbox.written(shop._id.as_str(), &shop.outbox);
    let asked = Instant::now();
    relay.stop().await;
    let waited = asked.elapsed();
    assert!((500..3000).contains(&waited.as_millis()), "stopped after {waited:?}");

    cut.restore().await;
    let (_, relay) = DocumentOutbox::new(&collection, broker.publisher(), RelaySettings::default());
    let relay = Started::start(relay);
    eventually("another process sent it", || async {
        when(collection.count_documents(doc! { "outbox.0": { "$exists": true } }).await.unwrap() == 0)
    })
    .await;
    relay.stop().await;
}
