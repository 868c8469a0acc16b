//! Points in InfluxDB, of version 1 and 2.

use axum::http::StatusCode;
use contracts::EVENTS;
use contracts::tasks::{StepReport, StepState, TaskProgressed};
use contracts::topology::queue::{BRIDGE_INFLUXDB, BRIDGE_KAFKA};
use messaging::Outgoing;
use testkit::{eventually, eventually_within};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::stub::Stub;
use crate::support::{Bridge, LONG, World, changes};

fn report(state: StepState, attempt: u32) -> StepReport {
    let at = OffsetDateTime::now_utc() + time::Duration::milliseconds(250);
    StepReport { task_id: Uuid::now_v7(), step: "user_tasks".to_owned(), state, attempt, error: None, at }
}

/// To InfluxDB alone.
fn bridge(world: &World) -> Bridge {
    Bridge::new(world.rabbit.url())
        .env("INFLUXDB_URL", world.influx.url())
        .env("INFLUXDB_DATABASE", world.influx.database())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_report_of_a_task_is_a_point_once_however_often_it_comes() {
    let world = World::new().await;
    let _bridge = bridge(&world).start().await;
    let reports = vec![report(StepState::Done, 1), report(StepState::Done, 1), report(StepState::Retrying, 3)];
    let event = Outgoing::new(&TaskProgressed { reports });
    world.publish([event.clone(), event.clone()]).await;
    world.publish(changes(1, 1)).await;
    world.counts(2).await;

    let rows = world.influx.query(r#"SELECT "attempts", "latency_ms" FROM tasks GROUP BY "step", "state""#).await;
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(
        rows.iter().all(|row| row["step"] == "user_tasks" && row["latency_ms"].as_f64() >= Some(250.0)),
        "{rows:?}"
    );
    let retrying: Vec<_> = rows.iter().filter(|row| row["state"] == "retrying").map(|row| &row["attempts"]).collect();
    assert_eq!(retrying, [3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_that_influxdb_refuses_is_parked_and_holds_up_no_other() {
    let world = World::new().await;
    // Where a text stands, no number can be written.
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    let written = client
        .post(format!("{}/write?db={}", world.influx.url(), world.influx.database()))
        .body("tasks,step=a attempts=\"many\"")
        .send()
        .await
        .expect("InfluxDB answers");
    assert!(written.status().is_success());
    let poison = Outgoing::new(&TaskProgressed { reports: vec![report(StepState::Done, 1)] });
    let events = changes(10, 10);
    let (before, after) = events.split_at(30);
    world.publish([before, std::slice::from_ref(&poison), after].concat()).await;
    let _bridge = bridge(&world).start().await;

    let parked = eventually_within(LONG, "it is parked", || async {
        world.rabbit.peek(&format!("{BRIDGE_INFLUXDB}.dead"), 10).await.pop()
    })
    .await;
    assert_eq!(parked.properties["message_id"], poison.id.to_string());
    let reason = parked.headers["x-dead-reason"].as_str().expect("it has a reason");
    assert!(reason.contains("field type conflict"), "{reason}");
    // Its own point in `events` was taken before the one in `tasks` was refused.
    world.counts(events.len() as u64 + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_there_is_made() {
    let world = World::new().await;
    let database = format!("{}_new", world.influx.database());
    world.publish(changes(1, 3)).await;
    let _bridge = bridge(&world).env("INFLUXDB_DATABASE", &database).start().await;
    eventually("the events are there", || async {
        let known = world.influx.query("SHOW DATABASES").await.iter().any(|row| row["name"] == database.as_str());
        if !known {
            return None;
        }
        let rows = testkit::query_on(world.influx.url(), &database, r#"SELECT count("count") FROM events"#).await;
        (rows.first()?["count"] == 3).then_some(())
    })
    .await;
    world.influx.query(&format!("DROP DATABASE {database}")).await;
}

/// To the stub alone, as one would to a bucket.
fn bridge_to(world: &World, stub: &Stub) -> Bridge {
    Bridge::new(world.rabbit.url())
        .env("INFLUXDB_URL", &stub.url)
        .env("INFLUXDB_ORG", "an org")
        .env("INFLUXDB_BUCKET", "a bucket")
        .env("INFLUXDB_TOKEN", "the-token")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_version_2_gets_its_lines_and_bears_with_errors() {
    let world = World::new().await;
    // Too many requests, an error of its own, a token that is not known yet: none of them is the fault of an event.
    let trouble = [StatusCode::TOO_MANY_REQUESTS, StatusCode::INTERNAL_SERVER_ERROR, StatusCode::UNAUTHORIZED];
    let stub = Stub::start(move |number, _| trouble.get(number).copied().unwrap_or(StatusCode::NO_CONTENT)).await;
    let events = changes(10, 10);
    world.publish(events.clone()).await;
    let bridge = bridge_to(&world, &stub).start().await;

    eventually_within(LONG, "all lines are taken", || async { (stub.taken().len() >= 100).then_some(()) }).await;
    assert!(stub.taken().len() as u64 <= 100 + world.repeated());
    for asked in stub.asked() {
        assert_eq!(asked.authorization, "Token the-token");
        assert_eq!(asked.query, "org=an+org&bucket=a+bucket&precision=ns");
    }
    let line = stub.taken().into_iter().find(|line| line.contains(&events[0].id.to_string())).expect("it is there");
    assert!(line.starts_with("events,service=producer,type=user.updated count=1i,id="), "{line}");
    assert!(!bridge.program().logs().contains("the-token"), "no secret is logged");
    assert_eq!(world.rabbit.queue_depth(&format!("{BRIDGE_INFLUXDB}.dead")).await, 0, "no attempt was spent");
    assert_eq!(
        world.rabbit.queue_depth(BRIDGE_KAFKA).await,
        100 + world.repeated(),
        "to Kafka nothing goes here: the test made its queue"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_line_among_hundreds_is_found() {
    let world = World::new().await;
    let stub =
        Stub::start(|_, body| if body.contains("type=bad") { StatusCode::BAD_REQUEST } else { StatusCode::NO_CONTENT })
            .await;
    let events = changes(10, 50);
    let (before, after) = events.split_at(123);
    let bad = Outgoing::raw(EVENTS, "bad", "bad", "{}");
    world.publish([before, std::slice::from_ref(&bad), after].concat()).await;
    let _bridge = bridge_to(&world, &stub).start().await;

    eventually_within(LONG, "all good lines are taken", || async { (stub.taken().len() >= 500).then_some(()) }).await;
    assert!(stub.taken().len() as u64 <= 500 + world.repeated());
    let parked = eventually_within(LONG, "the bad one is parked", || async {
        world.rabbit.peek(&format!("{BRIDGE_INFLUXDB}.dead"), 10).await.pop()
    })
    .await;
    assert_eq!(parked.properties["message_id"], bad.id.to_string());
    assert!(stub.asked().len() < 40, "halves of halves: {} requests", stub.asked().len());
}
