//! What is left of a deleted user in Postgres: a tombstone.

use contracts::tasks::{StepReport, StepState};
use serde_json::json;
use testkit::eventually;
use time::OffsetDateTime;

use crate::support::{Ask, Producer, World, user};

const NAME: &str = "Erasmus";
const EMAIL: &str = "erasmus@example.org";
const PREFERRED: &str = "ultramarine";

/// Every row of every table in which one of these is said.
const SAID: &str = r"
    SELECT n.nspname || '.' || c.relname AS name,
           (xpath('/row/n/text()', query_to_xml(format(
               'SELECT count(*) AS n FROM %I.%I t WHERE lower(t::text) ~ %L OR t::text ~ %L',
               n.nspname, c.relname, $1, encode(convert_to($2, 'UTF8'), 'hex')), false, true, '')))[1]::text::int8 AS rows
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname IN ('public', 'outbox')";

async fn said(world: &World) -> Vec<(String, i64)> {
    let pattern = format!("{}|{}|{PREFERRED}", NAME.to_lowercase(), EMAIL.to_lowercase());
    let tables: Vec<(String, i64)> =
        sqlx::query_as(SAID).bind(pattern).bind(NAME).fetch_all(world.postgres.pool()).await.expect("the SQL is right");
    tables.into_iter().filter(|(_, rows)| *rows > 0).collect()
}

async fn finish(world: &World, producer: &Producer, task: &str) {
    let found = producer.task(task).await;
    let report = |step: &serde_json::Value| StepReport {
        task_id: task.parse().expect("a task's id is a UUID"),
        step: step["step"].as_str().expect("a step has a name").to_owned(),
        state: StepState::Done,
        attempt: 1,
        error: None,
        at: OffsetDateTime::now_utc(),
    };
    world.report_all(found["steps"].as_array().expect("a task has steps").iter().map(report).collect()).await;
    producer.task_is(task, "done").await;
}

#[tokio::test]
async fn of_a_deleted_user_only_the_tombstone_stays() {
    let world = World::new().await;
    let producer = world.producer().await;
    let mut new = user(EMAIL);
    (new["name"], new["preferences"]) = (json!(NAME), json!({ "colour": PREFERRED }));
    let created = producer.post("/users", &new).header("idempotency-key", "k").answer().await.expect(202);
    let id = created.json()["user_id"].as_str().unwrap().to_owned();
    let login = json!({ "email": EMAIL, "password": new["password"] });
    producer.post("/auth/login", &login).answer().await.expect(200);
    let path = format!("/users/{id}");
    let changed = producer.put(&path, &json!({ "name": format!("{NAME} II") })).answer().await.expect(202);
    let tables: Vec<String> = said(&world).await.into_iter().map(|(table, _)| table).collect();
    assert!(["public.users", "public.tasks"].iter().all(|table| tables.iter().any(|said| said == table)), "{tables:?}");

    let deleted = producer.delete(&path).answer().await.expect(202);
    let left = "SELECT count(*) FROM users WHERE num_nonnulls(name, email, email_key, password_hash, preferences) > 0
                OR roles <> '{user}'";
    assert_eq!(world.count(left).await, 0);
    for task in [created.task(), changed.task(), deleted.task()] {
        finish(&world, &producer, &task).await;
    }
    // Sent messages lie in the outbox until their segment is emptied, an hour or 100,000 messages later.
    let segments = |table: &str| table.starts_with("outbox.message_");
    eventually("nothing is said any more", async || {
        said(&world).await.iter().all(|(table, _)| segments(table)).then_some(())
    })
    .await;
    producer.stop().await;

    // The next sweep takes the user's sessions with their tokens; this one is a day early for the key, which says nothing.
    let _sweeping = world.producer().await;
    eventually("the sessions are gone", async || {
        let left = "SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM refresh_tokens)";
        (world.count(left).await == 0).then_some(())
    })
    .await;
}
