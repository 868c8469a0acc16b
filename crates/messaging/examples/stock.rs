//! A consumer and a publisher in one program: an item that is stored, one that is retried, one that is dead-lettered.
//!
//! Start a broker (`./dev servers`), then `cargo run -p messaging --example stock`, and look at the queues `stock` and
//! `stock.dead` in the management UI.

use std::time::Duration;

use messaging::{Broker, Delivery, Each, ExchangeKind, Failure, Handle, Message, Outgoing, Queue, Settings, Topology};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// An item entered the stock.
#[derive(Debug, Serialize, Deserialize)]
struct ItemAdded {
    item_id: u64,
    quantity: u32,
}

impl Message for ItemAdded {
    const EXCHANGE: &'static str = "stock-events";
    const ROUTING_KEY: &'static str = "item.added";
}

struct StoreItem;

impl Handle<ItemAdded> for StoreItem {
    async fn handle(&self, delivery: &Delivery<ItemAdded>) -> Result<(), Failure> {
        let ItemAdded { item_id, quantity } = delivery.payload;
        match quantity {
            0 => Err(Failure::reject("nothing was added")),
            13 if delivery.meta.attempt == 1 => Err(Failure::retry("unlucky, once")),
            _ => {
                println!("{quantity} of item {item_id}, at try {}", delivery.meta.attempt);
                Ok(())
            }
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    #[allow(clippy::disallowed_methods, reason = "an example has no configuration of its own")]
    let url = std::env::var("AMQP_URL").unwrap_or("amqp://user:password@127.0.0.1:5672/my_vhost".to_owned());
    let topology = Topology::default()
        .exchange(ItemAdded::EXCHANGE, ExchangeKind::Topic)
        .queue(Queue::work("stock").bind(ItemAdded::EXCHANGE, "item.*"));
    let broker = Broker::connect(Settings::new(url, "stock-example", topology)).await?;

    let stop = CancellationToken::new();
    let consuming = tokio::spawn(broker.consumer("stock").run(Each(StoreItem), stop.clone()));
    for (item_id, quantity) in [(1, 5), (2, 13), (3, 0)] {
        let outcome = broker.publisher().publish(Outgoing::new(&ItemAdded { item_id, quantity })).await;
        println!("item {item_id}: {outcome}");
    }
    // Long enough for the first rung of the retry ladder.
    tokio::time::sleep(Duration::from_secs(3)).await;
    stop.cancel();
    consuming.await?;
    broker.close().await;
    Ok(())
}
