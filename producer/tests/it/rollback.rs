//! `on_failure: "rollback"`: a user whose creation fails in one store is deleted from all of them again.

mod crashing;
mod ending;

use std::collections::{BTreeMap, BTreeSet};

use contracts::tasks::{StepReport, StepState};
use contracts::topology::REPORTING;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::{Ask, Producer, World, user};

/// A user who is to be there everywhere or nowhere, and the task.
struct Whole {
    id: String,
    task: String,
}

impl Whole {
    async fn create(producer: &Producer, email: &str) -> Self {
        let created = producer.post("/users", &wanted(email)).answer().await.expect(202);
        let id = created.json()["user_id"].as_str().expect("a user has an id").to_owned();
        Self { id, task: created.task() }
    }

    fn path(&self) -> String {
        format!("/users/{}", self.id)
    }
}

fn wanted(email: &str) -> Value {
    let mut wanted = user(email);
    wanted["on_failure"] = json!("rollback");
    wanted
}

/// The steps of the task, except those in `but`.
fn steps(task: &Value, but: &[&str]) -> Vec<String> {
    let steps = task["steps"].as_array().expect("a task has steps").iter();
    let names = steps.map(|step| step["step"].as_str().expect("a step has a name").to_owned());
    names.filter(|name| !but.contains(&name.as_str())).collect()
}

fn reports(task: &str, steps: &[String], state: StepState) -> Vec<StepReport> {
    let report = |step: &String| StepReport {
        task_id: task.parse().expect("a task's id is a UUID"),
        step: step.clone(),
        state,
        attempt: 1,
        error: None,
        at: OffsetDateTime::now_utc(),
    };
    steps.iter().map(report).collect()
}

/// Reports the rest of a task's steps as done, or as needless.
async fn finish(world: &World, producer: &Producer, task: &str, but: &[&str]) {
    let left = steps(&producer.task(task).await, but);
    let (skipped, done) = left.split_at(1);
    let all = [reports(task, skipped, StepState::Skipped), reports(task, done, StepState::Done)].concat();
    world.report_all(all).await;
}

/// The deletion that undoes a task, once there is one.
async fn deletion_of(producer: &Producer, task: &str) -> String {
    testkit::eventually("the rollback has begun", async || {
        Some(producer.task(task).await["rollback_task_id"].as_str()?.to_owned())
    })
    .await
}

/// The events of so many deletions, by their ids: the broker may have one twice.
async fn deletions_told(world: &World, deletions: usize) -> BTreeMap<String, testkit::TestMessage> {
    let mut told = BTreeMap::new();
    while told.len() < deletions {
        for event in world.take("user_tasks", 1).await {
            if event.routing_key == "user.deleted" {
                let id = event.properties["message_id"].as_str().expect("each has an id").to_owned();
                told.insert(id, event);
            }
        }
    }
    told
}

/// How many users are to be there, and how many deletions there were.
async fn counts(world: &World) -> (i64, i64) {
    let live = world.count("SELECT count(*) FROM users WHERE deleted_at IS NULL").await;
    (live, world.count("SELECT count(*) FROM tasks WHERE kind = 'user.deleted'").await)
}

#[tokio::test]
async fn a_user_with_a_parked_step_is_deleted_everywhere_and_the_task_tells_why() {
    let world = World::new().await;
    let producer = world.producer().await;
    let whole = Whole::create(&producer, "ada@example.org").await;
    let mut events = producer.get(&format!("/tasks/{}/events", whole.task)).send().await.unwrap();
    producer.put(&whole.path(), &json!({ "name": "Ada King" })).answer().await.expect(202);
    let reporting: BTreeSet<&str> = REPORTING.into_iter().collect();
    let user_steps = steps(&producer.task(&whole.task).await, &[]);
    assert!(user_steps.iter().all(|step| reporting.contains(step.as_str())), "{user_steps:?}");

    // At once: it is not waited for what the other steps come to.
    world.report(&whole.task, "user_search", StepState::Failed, 5).await;
    let deletion = deletion_of(&producer, &whole.task).await;
    let rolling = producer.task(&whole.task).await;
    assert_eq!((&rolling["state"], &rolling["ended_at"]), (&json!("rolling_back"), &Value::Null), "{rolling}");
    assert_eq!(rolling["reason"], "the step user_search was parked: as the test wants it");
    producer.get(&whole.path()).answer().await.expect(404);
    // The address is free again at once.
    producer.create_user("ada@example.org").answer().await.expect(202);

    let last = &deletions_told(&world, 1).await[&deletion];
    // Newer than the change that came between.
    assert_eq!((&last.headers["x-version"], &last.headers["x-task-id"]), (&json!(3), &json!(deletion)));
    assert_eq!((&last.json()["user_id"], &last.headers["x-key"]), (&json!(whole.id), &json!(whole.id)));
    let first: Value = producer.task(&deletion).await;
    assert_eq!((&first["rollback_of"], &first["subject"]), (&json!(whole.task), &rolling["subject"]));

    // What is reported late changes nothing.
    finish(&world, &producer, &whole.task, &[]).await;
    finish(&world, &producer, &deletion, &[]).await;
    let undone = producer.task_is(&whole.task, "rolled_back").await;
    assert_eq!(undone["reason"], rolling["reason"]);
    assert!(undone["ended_at"].is_string(), "{undone}");
    let mut seen = String::new();
    while let Some(chunk) = events.chunk().await.unwrap() {
        seen.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let last = seen.split("\n\n").filter(|event| !event.is_empty()).last().unwrap();
    assert!(last.contains(r#""state":"rolled_back""#) && seen.contains(r#""state":"rolling_back""#), "{seen}");
}

#[tokio::test]
async fn without_that_wish_what_was_done_stands() {
    let world = World::new().await;
    let producer = world.producer().await;
    let created = producer.create_user("ada@example.org").answer().await.expect(202);
    world.report(&created.task(), "user_search", StepState::Failed, 5).await;
    finish(&world, &producer, &created.task(), &["user_search"]).await;
    let failed = producer.task_is(&created.task(), "failed").await;
    assert!(failed["ended_at"].is_string() && failed.get("reason").is_none(), "{failed}");
    assert_eq!(counts(&world).await, (1, 0));
}

#[tokio::test]
async fn a_wait_is_over_when_all_is_undone_and_not_before() {
    let world = World::new().await;
    let producer = world.producer().await;
    let write = producer.post("/users", &wanted("ada@example.org")).header("prefer", "wait=20").answer();
    let consume = async {
        let task = world.take("user_tasks", 1).await[0].properties["message_id"].as_str().unwrap().to_owned();
        world.report(&task, "user_tasks", StepState::Failed, 5).await;
        let deletion = deletion_of(&producer, &task).await;
        finish(&world, &producer, &deletion, &[]).await;
    };
    let (answer, ()) = tokio::join!(write, consume);
    let answer = answer.expect(200).json();
    assert_eq!(answer["state"], "rolled_back");
    assert_eq!(answer["reason"], "the step user_tasks was parked: as the test wants it");
}

#[tokio::test]
async fn rollbacks_are_listed_by_their_state() {
    let world = World::new().await;
    let producer = world.producer().await;
    let (begun, over) =
        (Whole::create(&producer, "a@example.org").await, Whole::create(&producer, "b@example.org").await);
    for whole in [&begun, &over] {
        world.report(&whole.task, "welcome_messages", StepState::Failed, 5).await;
    }
    let deletion = deletion_of(&producer, &over.task).await;
    finish(&world, &producer, &deletion, &[]).await;
    producer.task_is(&over.task, "rolled_back").await;
    producer.task_is(&begun.task, "rolling_back").await;
    for (state, task) in [("rolling_back", &begun.task), ("rolled_back", &over.task)] {
        let page = producer.get(&format!("/tasks?state={state}")).answer().await.expect(200).json();
        let ids: Vec<&Value> = page["tasks"].as_array().unwrap().iter().map(|task| &task["id"]).collect();
        assert_eq!(ids, [&json!(task)], "{state}");
    }
    let failed = producer.get("/tasks?state=failed").answer().await.expect(200).json();
    assert_eq!(failed["tasks"], json!([]));
}

#[tokio::test]
async fn what_is_to_become_of_a_failure_belongs_to_the_request_and_has_two_values() {
    let world = World::new().await;
    let producer = world.producer().await;
    let create = |body: &Value| producer.post("/users", body).header("idempotency-key", "k").answer();
    create(&wanted("ada@example.org")).await.expect(202);
    create(&wanted("ada@example.org")).await.expect(202);
    create(&user("ada@example.org")).await.expect(422);
    let mut wrong = user("ada@example.org");
    wrong["on_failure"] = json!("explode");
    let wrong = producer.post("/users", &wrong).answer().await.expect(422);
    insta::assert_json_snapshot!("an_unknown_wish", wrong.problem());
}
