//! Dead letters: counted, looked at, redriven and thrown away, whatever happens meanwhile.

mod failing;
mod filtering;
mod many;

use messaging::dead_letters::{DeadLetters, Filter, Progress, Purge, Redrive, RunReport};
use messaging::{Broker, Outcome, Outgoing, Queue, Topology};
use serde_json::json;
use testkit::{TestMessage, TestRabbit, eventually, rabbitmq};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{Notes, QUEUE, Running, broker, job, when};

const DEAD: &str = "work.dead";

/// A broker with a vhost of its own, where dead letters are made.
struct Rig {
    rabbit: TestRabbit,
    broker: Broker,
    letters: DeadLetters,
}

impl Rig {
    async fn new() -> Self {
        let rabbit = rabbitmq().await;
        let broker = broker(rabbit.url()).await;
        let letters = broker.dead_letters();
        Self { rabbit, broker, letters }
    }

    /// Puts dead letters there as a consumer parks them.
    async fn park(&self, letters: impl IntoIterator<Item = Outgoing>) -> Vec<Uuid> {
        let mut ids = Vec::new();
        let mut parked = Vec::new();
        for letter in letters {
            ids.push(letter.id);
            parked.push(Outgoing { exchange: String::new(), routing_key: DEAD.to_owned(), ..letter });
        }
        let outcomes = self.broker.publisher().publish_in_order(parked).await;
        assert_eq!(outcomes.iter().find(|outcome| **outcome != Outcome::Confirmed), None);
        ids
    }

    async fn redrive(&self, redrive: Redrive) -> RunReport {
        self.redrive_with(redrive, |_| {}).await
    }

    async fn redrive_with(&self, redrive: Redrive, progress: impl FnMut(&Progress) + Send) -> RunReport {
        let stop = CancellationToken::new();
        self.letters.redrive(QUEUE, &redrive, &stop, progress).await.expect("the dead letters are there")
    }

    async fn purge(&self, purge: Purge) -> RunReport {
        let stop = CancellationToken::new();
        self.letters.purge(QUEUE, &purge, &stop, |_| {}).await.expect("the dead letters are there")
    }

    /// The ids of what is parked, in order, read past the library.
    async fn parked(&self) -> Vec<Uuid> {
        ids(&self.rabbit.peek(DEAD, 1000).await)
    }

    /// The ids of what waits in the work queue.
    async fn waiting(&self) -> Vec<Uuid> {
        ids(&self.rabbit.peek(QUEUE, 1000).await)
    }

    async fn holds(&self, queue: &str, count: u64) {
        eventually(&format!("{queue} holds {count}"), || async { when(self.rabbit.queue_depth(queue).await == count) })
            .await;
    }
}

fn ids(messages: &[TestMessage]) -> Vec<Uuid> {
    let id = |message: &TestMessage| message.properties["message_id"].as_str()?.parse().ok();
    messages.iter().filter_map(id).collect()
}

/// As a consumer parks it after five tries.
fn letter(reason: &str) -> Outgoing {
    job("ok").with_header("x-dead-reason", reason).with_header("x-attempt", 4).with_header("x-dead-at", hours_ago(1))
}

fn hours_ago(hours: i64) -> String {
    (OffsetDateTime::now_utc() - time::Duration::hours(hours)).format(&Rfc3339).expect("a time has this form")
}

fn letters(count: usize) -> Vec<Outgoing> {
    (0..count).map(|_| letter("no such table")).collect()
}

#[tokio::test]
async fn what_was_parked_is_handled_once_its_cause_is_mended() {
    let rig = Rig::new().await;
    let notes = Notes::default();
    let message = job("retry").with_header("x-version", 4);
    let id = message.id;
    rig.broker.publisher().publish(message).await;
    let consumer = Running::start_with(rig.broker.consumer(QUEUE).max_attempts(1), notes.clone());
    rig.holds(DEAD, 1).await;
    consumer.stop().await;

    let counts = rig.letters.list().await.unwrap();
    let parked = counts.iter().find(|count| count.queue == QUEUE).unwrap();
    assert_eq!((parked.dead_letter_queue.as_str(), parked.parked), (DEAD, Some(1)));
    let seen = rig.letters.peek(QUEUE, &Filter::default(), 10).await.unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].message_id, Some(id.to_string()));
    assert_eq!(seen[0].kind.as_deref(), Some("job"));
    assert_eq!(seen[0].reason.as_deref(), Some("failed 1 times, last: try again"));
    assert_eq!((seen[0].attempts, seen[0].headers.int("x-version")), (1, Some(4)));
    assert_eq!(seen[0].body, br#"{"will":"retry"}"#[..]);
    assert!(seen[0].parked_at.is_some() && seen[0].redriven_at.is_none());

    let report = rig.redrive(Redrive { by: "ada".to_owned(), ..Redrive::default() }).await;
    assert_eq!(report.progress, Progress { total: 1, seen: 1, matched: 1, done: 1, refused: 0 });
    assert_eq!(report.interrupted, None);
    rig.holds(DEAD, 0).await;
    let back = rig.rabbit.peek(QUEUE, 1).await.remove(0);
    assert_eq!(back.properties["message_id"], json!(id.to_string()), "the same message");
    assert_eq!(back.headers["x-version"], json!(4), "what the publisher set is kept");
    assert_eq!(back.headers["x-redriven-by"], json!("ada"));
    for gone in ["x-attempt", "x-dead-reason", "x-dead-at", "x-dead-queue", "x-first-failure", "x-last-error"] {
        assert!(back.headers.get(gone).is_none(), "{gone}");
    }
    let consumer = Running::start_with(rig.broker.consumer(QUEUE).max_attempts(2), notes.clone());
    eventually("it is tried from the first time on", || async { when(notes.attempts(id) == [1, 1, 2]) }).await;
    consumer.stop().await;
    rig.holds(DEAD, 1).await;
    let seen = rig.letters.peek(QUEUE, &Filter::default(), 10).await.unwrap();
    assert_eq!(seen[0].redriven_by.as_deref(), Some("ada"), "whoever looks again knows of it");
}

#[tokio::test]
async fn nothing_parked_is_nothing_to_do_and_a_queue_that_is_not_there_is_named() {
    let rig = Rig::new().await;
    assert_eq!(rig.redrive(Redrive::default()).await.progress, Progress::default());
    assert_eq!(rig.purge(Purge::default()).await.progress, Progress::default());
    assert!(rig.letters.peek(QUEUE, &Filter::default(), 10).await.unwrap().is_empty());
    let unknown = rig.letters.peek("word", &Filter::default(), 10).await.unwrap_err();
    assert_eq!(unknown.to_string(), "there is no queue `word`; there are work, questions");

    let more = rig.letters.clone().and("elsewhere");
    let counts = more.list().await.unwrap();
    let parked: Vec<_> = counts.iter().map(|count| (count.queue.as_str(), count.parked)).collect();
    assert_eq!(parked, [(QUEUE, Some(0)), ("questions", Some(0)), ("elsewhere", None)]);
    let missing = more.peek("elsewhere", &Filter::default(), 10).await.unwrap_err();
    assert_eq!(missing.to_string(), "the broker has no queue `elsewhere.dead`");
}

#[tokio::test]
async fn what_the_broker_parked_itself_goes_back_with_its_type() {
    let rabbit = rabbitmq().await;
    // Nobody's property tells the type of what a person publishes, only its routing key.
    let topology = Topology::default()
        .exchange("test", messaging::ExchangeKind::Direct)
        .queue(Queue::work(QUEUE).bind("test", "job"));
    let broker = Broker::connect(messaging::Settings::new(rabbit.url(), "test", topology)).await.unwrap();
    let rig = Rig { letters: broker.dead_letters(), rabbit, broker };
    rig.rabbit.publish("test", "job", json!({ "expiration": "1" }), r#"{"will":"ok"}"#).await;
    rig.holds(DEAD, 1).await;
    let seen = rig.letters.peek(QUEUE, &Filter::default(), 1).await.unwrap();
    assert_eq!((seen[0].reason.as_deref(), seen[0].kind.as_deref()), (Some("expired"), Some("job")));
    assert_eq!((seen[0].message_id.as_deref(), seen[0].parked_at.is_some()), (None, true));
    let report = rig.redrive(Redrive::default()).await;
    assert_eq!((report.progress.done, report.interrupted), (1, None));
    let back = rig.rabbit.take(QUEUE, 1).await.remove(0);
    assert_eq!(back.properties["type"], json!("job"));
    assert!(back.properties["message_id"].is_string() && back.properties.get("expiration").is_none());
}
