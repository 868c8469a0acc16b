//! Servers that are killed, and come back.

use std::time::Duration;

use bson::doc;
use messaging::documents::{DocumentOutbox, RelaySettings};
use mongodb::options::ClientOptions;
use mongodb::{Client, Collection};
use testkit::{PrivateServer, eventually, mongodb, private_mongodb, private_rabbitmq, rabbitmq};

use super::{Shop, Started, document, drained, ids, received_all, shops, times, without_sweeps};
use crate::support::{Notes, QUEUE, Running, broker, when};

#[tokio::test]
async fn entries_wait_in_their_documents_for_a_broker_that_was_killed() {
    let (mongo, rabbit) = (mongodb().await, private_rabbitmq().await);
    let broker = broker(rabbit.url()).await;
    let collection = mongo.database().collection::<Shop>("shops");
    let (outbox, relay) = DocumentOutbox::new(&collection, broker.publisher(), RelaySettings::default());
    outbox.ensure_index().await.unwrap();
    let relay = Started::start(relay);
    let write = async |shops: &[Shop]| {
        collection.insert_many(shops).await.unwrap();
        for shop in shops {
            outbox.written(shop._id.as_str(), &shop.outbox);
        }
        ids(shops)
    };
    let mut sent = write(&shops(50)).await;
    drained(&collection).await;

    rabbit.save_declarations().await;
    rabbit.kill9().await;
    let during = shops(500);
    sent.extend(write(&during).await);
    eventually("the broker's absence was noticed", || async { when(!broker.status().connected) }).await;
    let waiting = collection.count_documents(doc! { "outbox.0": { "$exists": true } }).await.unwrap();
    assert_eq!(waiting, 500);

    rabbit.start().await;
    drained(&collection).await;
    let notes = Notes::default();
    let consumer = Running::start(&broker, &notes);
    received_all(&notes, &sent).await;
    assert_eq!(times(&notes).len(), 550);
    sent.extend(write(&shops(50)).await);
    received_all(&notes, &sent).await;
    // No answer is no word about the message.
    let touched = collection.count_documents(doc! { "outbox.failed": { "$exists": true } }).await.unwrap();
    assert_eq!(touched, 0);
    consumer.stop().await;
    relay.stop().await;
}

async fn collection(server: &PrivateServer) -> Collection<Shop> {
    let mut options = ClientOptions::parse(server.url()).await.expect("it is a URL of MongoDB");
    options.server_selection_timeout = Some(Duration::from_secs(2));
    let client = Client::with_options(options).expect("the options are sound");
    client.default_database().expect("the URL names it").collection("shops")
}

#[tokio::test]
async fn a_message_confirmed_but_not_removed_because_mongodb_died_is_sent_again_with_the_same_id() {
    let (mongo, rabbit) = (private_mongodb().await, rabbitmq().await);
    let broker = broker(rabbit.url()).await;
    let shops = collection(&mongo).await;
    let (outbox, relay) = DocumentOutbox::new(&shops, broker.publisher(), without_sweeps());
    outbox.ensure_index().await.unwrap();
    let shop = Shop::new("a shop");
    shops.insert_one(&shop).await.unwrap();
    mongo.kill9().await;

    let relay = Started::start(relay);
    outbox.written(shop._id.as_str(), &shop.outbox);
    eventually("the broker has it", || async { when(rabbit.queue_depth(QUEUE).await == 1) }).await;
    relay.kill().await;

    mongo.start().await;
    let left = document(&shops, &shop._id).await;
    assert_eq!(left.get_array("outbox").unwrap().len(), 1, "the entry is still there");
    let (_, relay) = DocumentOutbox::new(&shops, broker.publisher(), RelaySettings::default());
    let relay = Started::start(relay);
    drained(&shops).await;
    let sent = rabbit.take(QUEUE, 10).await;
    let seen: Vec<_> = sent.iter().map(|message| message.properties["message_id"].as_str().unwrap()).collect();
    let id = shop.ids()[0].to_string();
    assert_eq!(seen, [&id, &id]);
    relay.stop().await;
}

#[tokio::test]
async fn a_relay_outlives_a_mongodb_that_is_killed_under_load() {
    let (mongo, rabbit) = (private_mongodb().await, rabbitmq().await);
    let broker = broker(rabbit.url()).await;
    let (notes, collection) = (Notes::default(), collection(&mongo).await);
    let consumer = Running::start(&broker, &notes);
    let settings = RelaySettings { batch: 20, ..RelaySettings::default() };
    let (outbox, relay) = DocumentOutbox::new(&collection, broker.publisher(), settings);
    outbox.ensure_index().await.unwrap();
    let all = shops(1000);
    collection.insert_many(&all).await.unwrap();
    let relay = Started::start(relay);
    eventually("it has begun", || async { when(notes.done().len() >= 50) }).await;
    mongo.kill9().await;
    mongo.start().await;
    received_all(&notes, &ids(&all)).await;
    drained(&collection).await;
    assert_eq!(times(&notes).len(), 1000);
    consumer.stop().await;
    relay.stop().await;
}
