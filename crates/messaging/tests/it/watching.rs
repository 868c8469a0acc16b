//! Watching what passes, beside those who work.

use std::time::Duration;

use messaging::Outcome;
use testkit::{eventually, rabbitmq};
use tokio::time::timeout;

use crate::support::{EXCHANGE, QUEUE, broker, job};

#[tokio::test]
async fn who_watches_sees_what_passes_and_takes_nothing_from_those_who_work() {
    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    assert_eq!(broker.publisher().publish(job("unseen")).await, Outcome::Confirmed);
    let mut watch = broker.watch(EXCHANGE, &["job", "another"]).await.expect("the exchange is there");
    let published = job("ok");
    assert_eq!(broker.publisher().publish(published.clone()).await, Outcome::Confirmed);

    let seen = timeout(Duration::from_secs(10), watch.next()).await.expect("it passes").expect("the connection stands");
    let seen = seen.expect("the watch has not ended");
    assert_eq!((seen.meta.id, seen.routing_key.as_str(), &seen.body), (published.id, "job", &published.body));
    eventually("both messages wait for who works", async || (rabbit.queue_depth(QUEUE).await == 2).then_some(())).await;
}

#[tokio::test]
async fn a_watch_ends_with_its_connection_and_leaves_nothing() {
    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    let queues = rabbit.queue_names().await.len();
    let mut watch = broker.watch(EXCHANGE, &["job"]).await.expect("the exchange is there");
    rabbit.close_connections().await;
    let end = timeout(Duration::from_secs(10), watch.next()).await.expect("it ends");
    assert!(!matches!(end, Ok(Some(_))), "{end:?}");
    eventually("its queue is gone", async || (rabbit.queue_names().await.len() == queues).then_some(())).await;
    assert!(broker.watch("nowhere", &["job"]).await.is_err());
}
