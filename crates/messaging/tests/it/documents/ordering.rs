//! The messages of one document arrive in its order.

use bson::{Bson, doc};
use messaging::documents::{Entry, RelaySettings};

use super::{Rig, Shop, Started, shops, without_sweeps};
use crate::support::job;

const CHANGES: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn the_messages_of_a_document_that_changes_quickly_arrive_in_its_order() {
    let rig = Rig::new().await;
    let settings = RelaySettings { batch: 8, batches_in_flight: 8, ..without_sweeps() };
    let (outbox, relay) = rig.outbox(settings).await;
    let mut shops: Vec<Shop> = shops(20);
    for shop in &mut shops {
        shop.outbox.extend((1..CHANGES).map(|_| Entry::new(job("ok"))));
    }
    rig.store(&shops).await;
    // Of all shops in turn, so that each batch holds several of each.
    for change in 0..CHANGES {
        for shop in &shops {
            outbox.written(shop._id.as_str(), &shop.outbox[change..=change]);
        }
    }
    let relay = Started::start(relay);
    rig.drained().await;
    in_order(&rig, &shops).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_sends_the_messages_of_a_document_in_its_order_too() {
    let rig = Rig::new().await;
    let mut shops: Vec<Shop> = shops(20);
    for shop in &mut shops {
        shop.outbox.extend((1..CHANGES).map(|_| Entry::new(job("ok"))));
    }
    rig.store(&shops).await;
    // As if they had lain there for long.
    let long_ago = Bson::DateTime(bson::DateTime::from_millis(1));
    rig.shops.update_many(doc! {}, doc! { "$set": { "outbox.$[].due": long_ago } }).await.unwrap();
    let relay = rig.start(RelaySettings { batch: 8, batches_in_flight: 50, ..without_sweeps() }).await;
    rig.drained().await;
    in_order(&rig, &shops).await;
    relay.stop().await;
}

async fn in_order(rig: &Rig, shops: &[Shop]) {
    rig.received_all(&super::ids(shops)).await;
    let done = rig.notes.done();
    for shop in shops {
        let ids = shop.ids();
        let came: Vec<_> = done.iter().filter(|id| ids.contains(id)).copied().collect();
        assert_eq!(came, ids, "{}", shop.name);
    }
}
