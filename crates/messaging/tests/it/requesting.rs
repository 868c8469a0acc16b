//! Request and reply: each caller gets its own answer, or the true reason why there is none.

use std::time::Duration;

use futures_util::future::join_all;
use messaging::{Answer, Broker, Delivery, Failure, RequestError};
use testkit::{eventually, private_rabbitmq, rabbitmq};
use tokio_util::sync::CancellationToken;

use crate::support::{Question, broker, when};

const WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Echo;

impl Answer<Question, String> for Echo {
    async fn answer(&self, request: &Delivery<Question>) -> Result<String, Failure> {
        match request.payload.text.as_str() {
            "fail" => Err(Failure::reject("cannot")),
            text => Ok(text.to_owned()),
        }
    }
}

fn question(text: &str) -> Question {
    Question { text: text.to_owned() }
}

fn answer_questions(broker: &Broker) -> CancellationToken {
    let stop = CancellationToken::new();
    let consumer = broker.consumer("questions");
    tokio::spawn(consumer.run::<Question, _>(broker.answering::<_, String>(Echo), stop.clone()));
    stop
}

#[tokio::test]
async fn each_of_many_callers_gets_its_own_answer() {
    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    answer_questions(&broker);
    let requester = broker.requester();
    let answers = join_all((0..200).map(|n| {
        let requester = requester.clone();
        async move { requester.request::<_, String>(&question(&n.to_string()), WITHIN).await }
    }))
    .await;
    for (n, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer, Ok(n.to_string()));
    }
}

#[tokio::test]
async fn a_failure_travels_back_as_its_reason() {
    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    answer_questions(&broker);
    let answer = broker.requester().request::<_, String>(&question("fail"), WITHIN).await;
    assert_eq!(answer, Err(RequestError::Failed("cannot".to_owned())));
    assert_eq!(rabbit.queue_depth("questions.dead").await, 0);
}

#[tokio::test]
async fn without_a_consumer_the_caller_learns_that_the_broker_took_it_and_the_request_expires() {
    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    let answer = broker.requester().request::<_, String>(&question("x"), Duration::from_millis(300)).await;
    assert_eq!(answer, Err(RequestError::Timeout { taken: true }));
    eventually("nobody is asked what nobody waits for", || async { when(rabbit.queue_depth("questions").await == 0) })
        .await;
}

#[tokio::test]
async fn without_a_queue_the_caller_learns_it_at_once() {
    let rabbit = rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    rabbit.delete_queue("questions").await;
    let answer = broker.requester().request::<_, String>(&question("x"), WITHIN).await;
    assert_eq!(answer, Err(RequestError::Unroutable));
}

#[tokio::test]
async fn a_broker_that_is_away_is_said_and_when_it_is_back_requests_work_again() {
    let rabbit = private_rabbitmq().await;
    let broker = broker(rabbit.url()).await;
    answer_questions(&broker);
    let requester = broker.requester();
    eventually("the first answer", || async {
        requester.request::<_, String>(&question("a"), Duration::from_secs(1)).await.ok()
    })
    .await;
    rabbit.save_declarations().await;
    rabbit.kill9().await;
    let answer = requester.request::<_, String>(&question("b"), Duration::from_secs(1)).await;
    assert!(matches!(answer, Err(RequestError::Unavailable(_))), "{answer:?}");
    rabbit.start().await;
    eventually("answers come again", || async {
        requester.request::<_, String>(&question("c"), Duration::from_secs(1)).await.ok()
    })
    .await;
}
