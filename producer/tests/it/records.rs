//! Records over HTTP.

use serde_json::json;

use crate::support::{Ask, World, record};

#[tokio::test]
async fn an_accepted_record_becomes_a_message_with_its_version_and_task() {
    let world = World::new().await;
    let producer = world.producer().await;
    let accepted = producer.insert("A1").header("x-correlation-id", "job-7").answer().await.expect(202);
    let task = accepted.task();
    assert_eq!(accepted.header("location"), format!("/tasks/{task}"));
    assert_eq!(accepted.json()["SRN"], "A1");

    let message = &world.take("insert_record", 1).await[0];
    assert_eq!(message.json(), record("A1"));
    assert_eq!(message.properties["message_id"], task);
    assert_eq!(message.properties["type"], "insert_record");
    assert_eq!(message.properties["correlation_id"], "job-7");
    assert_eq!(message.properties["delivery_mode"], 2);
    assert_eq!(message.headers["x-version"], 1);
    assert_eq!(message.headers["x-task-id"], task);
    producer.task_is(&task, "published").await;
}

#[tokio::test]
async fn a_request_s_trace_travels_with_its_message() {
    let world = World::new().await;
    let _telemetry = service::telemetry("producer").unwrap();
    let producer = world.producer().await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    producer.insert("A1").header("traceparent", trace).answer().await.expect(202);
    let message = &world.take("insert_record", 1).await[0];
    let carried = message.headers["traceparent"].as_str().unwrap();
    assert!(carried.starts_with("00-0af7651916cd43dd8448eb211c80319c-"), "{carried}");
}

#[tokio::test]
async fn a_record_is_inserted_once_deleted_once_and_may_come_back() {
    let world = World::new().await;
    let producer = world.producer().await;
    producer.insert("A1").answer().await.expect(202);
    let taken = producer.insert("A1").answer().await.expect(409);
    insta::assert_json_snapshot!("a_live_srn", taken.problem());
    producer.delete("/records/A1").answer().await.expect(202);
    let gone = producer.delete("/records/A1").answer().await.expect(404);
    insta::assert_json_snapshot!("an_unknown_srn", gone.problem());
    producer.insert("A1").answer().await.expect(202);

    let deleted = &world.take("delete_record", 1).await[0];
    assert_eq!((deleted.json(), &deleted.headers["x-version"]), (json!({ "SRN": "A1" }), &json!(2)));
    let inserted = world.take("insert_record", 2).await;
    assert_eq!(inserted[1].headers["x-version"], 3);
}

#[tokio::test]
async fn the_older_routes_do_the_same() {
    let world = World::new().await;
    let producer = world.producer().await;
    producer.post("/insert_record", &record("A1")).answer().await.expect(202);
    producer.insert("A1").answer().await.expect(409);
    producer.get("/delete_record?SRN=A1").answer().await.expect(202);
    producer.get("/delete_record?srn=A1").answer().await.expect(404);
    let nameless = producer.get("/delete_record").answer().await.expect(422);
    insta::assert_json_snapshot!("no_srn", nameless.problem());
}

#[tokio::test]
async fn a_record_may_be_a_form_and_its_names_in_lower_case() {
    let world = World::new().await;
    let producer = world.producer().await;
    let form = "application/x-www-form-urlencoded";
    producer.post_raw("/records", form, "SRN=A1&Name=Ada+Lovelace&Section=B").answer().await.expect(202);
    let lower = json!({ "srn": "A2", "name": "Ada Lovelace", "section": "B" });
    producer.post("/records", &lower).answer().await.expect(202);
    let mut bodies: Vec<_> = world.take("insert_record", 2).await.iter().map(testkit::TestMessage::json).collect();
    bodies.sort_by_key(ToString::to_string);
    assert_eq!(bodies, [record("A1"), record("A2")]);
}

#[tokio::test]
async fn what_is_wrong_with_a_record_is_said_all_at_once() {
    let world = World::new().await;
    let producer = world.producer().await;
    let fields = producer.post("/records", &json!({ "SRN": "a/b", "Name": "a\0b" })).answer().await.expect(422);
    insta::assert_json_snapshot!("wrong_fields", fields.problem());
    let kind = producer.post("/records", &json!({ "SRN": 7 })).answer().await.expect(422);
    insta::assert_json_snapshot!("wrong_kind_of_field", kind.problem());
    let broken = producer.post_raw("/records", "application/json", "{").answer().await.expect(400);
    insta::assert_json_snapshot!("not_json", broken.problem());
    let media = producer.post_raw("/records", "text/csv", "A1,Ada,B").answer().await.expect(415);
    insta::assert_json_snapshot!("wrong_media_type", media.problem());
    let path = producer.delete("/records/a%20b").answer().await.expect(422);
    insta::assert_json_snapshot!("wrong_srn_in_path", path.problem());
    let method = producer.put("/records", &json!({})).answer().await.expect(405);
    insta::assert_json_snapshot!("wrong_method", method.problem());
    let route = producer.get("/recrods").answer().await.expect(404);
    insta::assert_json_snapshot!("wrong_route", route.problem());
    let large = producer.post_raw("/records", "application/json", vec![b' '; 2 << 20]).answer().await.expect(413);
    insta::assert_json_snapshot!("too_large", large.problem());
    assert_eq!(world.count("SELECT count(*) FROM tasks").await, 0);
}

#[tokio::test]
async fn one_bad_write_of_a_batch_fails_alone() {
    let world = World::new().await;
    let producer = world.producer().await;
    producer.insert("R7").answer().await.expect(202);
    // All at once: some of them share a transaction with the one that is refused.
    let requests = (0..64).map(|number| producer.insert(&format!("R{number}")).answer());
    let statuses: Vec<u16> =
        futures_util::future::join_all(requests).await.iter().map(|answer| answer.status.as_u16()).collect();
    for (number, status) in statuses.into_iter().enumerate() {
        assert_eq!(status, if number == 7 { 409 } else { 202 }, "R{number}");
    }
    assert_eq!(world.count("SELECT count(*) FROM records WHERE live").await, 64);
    assert_eq!(world.count("SELECT count(*) FROM tasks").await, 64);
    world.take("insert_record", 64).await;
}
