//! Declaring: a conflict is named, and nothing is guessed.

use messaging::{Backoff, Broker, DeclareError, ExchangeKind, Message, Queue, Settings, Topology};
use serde_json::json;
use testkit::{eventually, rabbitmq};

use crate::support::{EXCHANGE, Job, Notes, QUEUE, Running, broker, job, topology, when};

#[tokio::test]
async fn a_queue_that_exists_with_other_arguments_is_a_clear_error() {
    let rabbit = rabbitmq().await;
    rabbit.declare_queue(QUEUE, json!({"x-queue-type": "classic"})).await;
    let connected = Broker::connect(Settings::new(rabbit.url(), "test", topology())).await;
    let Err(DeclareError::Conflict { what, reason }) = connected else { panic!("{connected:?}") };
    assert_eq!(what, "queue `work`");
    assert!(reason.contains("inequivalent arg 'x-"), "{reason}");
}

#[tokio::test]
async fn what_cannot_be_declared_at_first_is_declared_as_soon_as_it_can_be() {
    let rabbit = rabbitmq().await;
    rabbit.permit("retry.*").await;
    let url = rabbit.url().to_owned();
    let connecting = tokio::spawn(async move { broker(&url).await });
    eventually("the ladder is there", async || rabbit.queue_info("retry.2m").await).await;
    rabbit.permit(".*").await;
    connecting.await.expect("it goes on trying");
    assert!(rabbit.queue_exists(QUEUE).await);
}

#[tokio::test]
async fn many_processes_can_declare_at_the_same_moment() {
    let rabbit = rabbitmq().await;
    let brokers = (0..8).map(|_| broker(rabbit.url()));
    assert_eq!(futures_util::future::join_all(brokers).await.len(), 8);
    for name in [QUEUE, "work.dead", "retry.1s", "retry.2m"] {
        let queue = rabbit.queue_info(name).await.expect("declared");
        assert_eq!((&queue["type"], &queue["durable"]), (&json!("quorum"), &json!(true)), "{name}");
    }
}

#[tokio::test]
async fn a_broker_that_never_answers_is_an_error_after_the_last_try() {
    let url = format!("amqp://user:secret@127.0.0.1:{}/%2f", testkit::free_port());
    let first_connect = Backoff { attempts: 2, base: std::time::Duration::from_millis(10), ..Backoff::default() };
    let settings = Settings { first_connect, ..Settings::new(url, "test", topology()) };
    let error = Broker::connect(settings).await.expect_err("nobody listens there").to_string();
    assert!(!error.contains("secret"), "{error}");
}

/// RabbitMQ 3.10 gives up all at-least-once dead-lettering when a queue goes in the moment in which it is made, so the tests'
/// vhosts must not go while somebody still declares in them.
#[tokio::test]
async fn tests_that_end_while_something_declares_leave_the_broker_whole() {
    for _ in 0..20 {
        let rabbit = rabbitmq().await;
        let url = rabbit.url().to_owned();
        let declaring = tokio::spawn(async move { broker(&url).await });
        eventually("the first queue is there", async || rabbit.queue_info("retry.1s").await).await;
        declaring.abort();
    }
    broker(rabbitmq().await.url()).await;
}

#[tokio::test]
async fn a_queue_with_a_single_active_consumer_is_declared_so_and_hands_over_in_order() {
    let rabbit = rabbitmq().await;
    let topology = Topology::default()
        .exchange(EXCHANGE, ExchangeKind::Direct)
        .queue(Queue::work(QUEUE).single_active().bind(EXCHANGE, Job::ROUTING_KEY));
    let broker =
        Broker::connect(Settings::new(rabbit.url(), "test", topology)).await.expect("the test broker is there");
    let queue = rabbit.queue_info(QUEUE).await.expect("declared");
    assert_eq!(queue["arguments"]["x-single-active-consumer"], json!(true));

    let jobs: Vec<_> = (0..2_000).map(|_| job("ok")).collect();
    let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
    broker.publisher().publish_in_order(jobs).await;
    let notes = Notes::default();
    let consumer = || broker.consumer(QUEUE).batch(10);
    let first = Running::start_with(consumer(), notes.clone());
    eventually("the first one works", || async { when(!notes.done().is_empty()) }).await;
    let second = Running::start_with(consumer(), notes.clone());
    eventually("the second one waits", || async { when(second.status.ready().is_ok()) }).await;
    second.status.confirm().await.expect("its subscription stands");
    first.stop().await;
    eventually("all are done", || async { when(notes.done().len() >= ids.len()) }).await;
    second.stop().await;
    assert!(notes.done() == ids, "in the queue's order, each once");
}
