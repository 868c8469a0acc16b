//! Requests that a consumer answers.

use contracts::messages::{HealthAnswer, HealthCheck};
use contracts::records::{ReadDatabase, Record, RecordPage};
use messaging::{Answer, Broker, Delivery, Failure};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::{Ask, World};

/// A consumer with so many records, which fails after some of them if it is told to.
struct Records {
    records: usize,
    fails_after: Option<usize>,
}

fn srn(number: usize) -> String {
    format!("R{number:06}")
}

impl Answer<ReadDatabase, RecordPage> for Records {
    async fn answer(&self, request: &Delivery<ReadDatabase>) -> Result<RecordPage, Failure> {
        let ReadDatabase { after, limit } = &request.payload;
        let begin =
            after.as_ref().map_or(0, |after| after[1..].parse::<usize>().expect("an SRN of ours ends in a number") + 1);
        if self.fails_after.is_some_and(|last| begin > last) {
            return Err(Failure::retry("secret: the store is on fire"));
        }
        let end = self.records.min(begin + limit.unwrap_or(100) as usize);
        let record = |number| Record { srn: srn(number), name: format!("Name {number}"), section: "B".to_owned() };
        let next = (end < self.records).then(|| srn(end - 1));
        Ok(RecordPage { records: (begin..end).map(record).collect(), next })
    }
}

struct Here;

impl Answer<HealthCheck, HealthAnswer> for Here {
    async fn answer(&self, request: &Delivery<HealthCheck>) -> Result<HealthAnswer, Failure> {
        let message = request.payload.message.clone();
        Ok(HealthAnswer { message, acknowledged_by: "test-1".to_owned() })
    }
}

/// Answers until the test ends.
async fn answer_records(broker: &Broker, handler: Records) {
    let consumer = broker.consumer("read_database");
    let status = consumer.status();
    tokio::spawn(consumer.run(broker.answering::<_, RecordPage>(handler), CancellationToken::new()));
    testkit::eventually("a consumer of records", async || status.ready().ok()).await;
}

#[tokio::test]
async fn records_are_read_page_by_page_from_the_consumer() {
    let world = World::new().await;
    let (producer, broker) = tokio::join!(world.producer(), world.broker());
    answer_records(&broker, Records { records: 5, fails_after: None }).await;
    let first = producer.get("/records?limit=3").answer().await.expect(200).json();
    assert_eq!(first["records"][0], json!({ "SRN": "R000000", "Name": "Name 0", "Section": "B" }));
    assert_eq!((first["records"].as_array().unwrap().len(), &first["next"]), (3, &json!("R000002")));
    let last = producer.get("/read_database?limit=3&after=R000002").answer().await.expect(200).json();
    assert_eq!((last["records"].as_array().unwrap().len(), &last["next"]), (2, &json!(null)));
    let wrong = producer.get("/records?limit=1001").answer().await.expect(422);
    insta::assert_json_snapshot!("a_limit_that_is_too_large", wrong.problem());
}

#[tokio::test]
async fn each_of_many_callers_gets_its_own_rows() {
    let world = World::new().await;
    let (producer, broker) = tokio::join!(world.producer(), world.broker());
    answer_records(&broker, Records { records: 200, fails_after: None }).await;
    let requests = (0..100).map(async |number| {
        let page = producer.get(&format!("/records?limit=1&after={}", srn(number))).answer().await.expect(200).json();
        assert_eq!(page["records"][0]["SRN"], srn(number + 1));
    });
    futures_util::future::join_all(requests).await;
}

#[tokio::test]
async fn all_records_are_streamed_as_lines() {
    let world = World::new().await;
    let (producer, broker) = tokio::join!(world.producer(), world.broker());
    answer_records(&broker, Records { records: 50_000, fails_after: None }).await;
    let all = producer.get("/records").header("accept", "application/x-ndjson").answer().await.expect(200);
    assert_eq!(all.header("content-type"), "application/x-ndjson");
    assert_eq!(all.body.lines().count(), 50_000);
    for number in [0, 1_000, 49_999] {
        let line: Record = serde_json::from_str(all.body.lines().nth(number).unwrap()).unwrap();
        assert_eq!(line.srn, srn(number));
    }
}

#[tokio::test]
async fn a_stream_whose_next_page_fails_breaks_off() {
    let world = World::new().await;
    let (producer, broker) = tokio::join!(world.producer(), world.broker());
    answer_records(&broker, Records { records: 50_000, fails_after: Some(5_000) }).await;
    let all = producer.get("/records").header("accept", "application/x-ndjson").send().await.unwrap();
    assert_eq!(all.status(), 200);
    assert!(all.text().await.is_err(), "a broken stream must not look like the end");
}

#[tokio::test]
async fn a_consumer_that_cannot_answer_is_a_bad_gateway_and_its_reason_stays_inside() {
    let world = World::new().await;
    let (producer, broker) = tokio::join!(world.producer(), world.broker());
    let failing = Records { records: 5, fails_after: Some(0) };
    answer_records(&broker, failing).await;
    let failed = producer.get("/records?after=R000001").answer().await.expect(502);
    insta::assert_json_snapshot!("a_failed_answer", failed.problem());
}

#[tokio::test]
async fn a_health_check_tells_which_consumer_answered() {
    let world = World::new().await;
    let (producer, broker) = tokio::join!(world.producer(), world.broker());
    let consumer = broker.consumer("health_check");
    tokio::spawn(consumer.run(broker.answering::<_, HealthAnswer>(Here), CancellationToken::new()));
    let answer = producer.get("/health_check?message=hello").answer().await.expect(200).json();
    assert_eq!((&answer["message"], &answer["acknowledged_by"]), (&json!("hello"), &json!("test-1")));
    assert!(answer["round_trip_ms"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn a_health_check_without_a_consumer_says_that_the_broker_took_it() {
    let world = World::new().await;
    let (producer, _declared) = tokio::join!(world.producer(), world.broker());
    let nobody = producer.get("/health_check?message=hello").answer().await.expect(504);
    insta::assert_json_snapshot!("nobody_answers", nobody.problem());
    let nothing = producer.get("/health_check").answer().await.expect(422);
    insta::assert_json_snapshot!("nothing_to_say", nothing.problem());
}

#[tokio::test]
async fn without_a_broker_what_needs_an_answer_is_unavailable() {
    let world = World::new().await;
    let proxy = testkit::proxy(world.rabbit.url()).await;
    proxy.cut().await;
    let producer = world.producer_at(world.postgres.url(), &proxy.url_for(world.rabbit.url()), &[]).await;
    for path in ["/health_check?message=hello", "/records", "/read_database"] {
        let down = producer.get(path).answer().await.expect(503);
        assert_eq!(down.header("retry-after"), "1");
        insta::allow_duplicates! { insta::assert_json_snapshot!("no_broker", down.problem()) }
    }
}
