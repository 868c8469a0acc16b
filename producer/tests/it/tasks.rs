//! Tasks: what consumers report, and how it is followed.

use contracts::tasks::{StepReport, StepState};
use serde_json::{Value, json};
use testkit::eventually;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::support::{Ask, World};

#[tokio::test]
async fn a_task_goes_from_accepted_through_published_to_done() {
    let world = World::new().await;
    let producer = world.producer().await;
    let task = producer.insert("A1").answer().await.expect(202).task();
    let published = producer.task_is(&task, "published").await;
    assert_eq!(published["subject"], "record A1");
    assert_eq!(published["steps"], json!([{ "step": "insert_record", "state": "waiting", "attempts": 0 }]));

    world.report(&task, "insert_record", StepState::Done, 1).await;
    let done = producer.task_is(&task, "done").await;
    assert!(done["ended_at"].is_string() && done["published_at"].is_string(), "{done}");
    assert_eq!(done["steps"][0]["attempts"], 1);
    assert_eq!(done["links"]["events"], format!("/tasks/{task}/events"));
    assert_eq!(world.count("SELECT count(*) FROM tasks WHERE message IS NULL").await, 1);
}

#[tokio::test]
async fn a_task_of_several_steps_ends_with_the_last_whatever_the_order_of_their_reports() {
    let world = World::new().await;
    let producer = world.producer().await;
    let task = producer.create_user("ada@example.org").answer().await.expect(202).task();
    world.report(&task, "user_sessions", StepState::Done, 2).await;
    world.report(&task, "user_sessions", StepState::Retrying, 1).await;
    for step in ["user_search", "welcome_messages"] {
        world.report(&task, step, StepState::Skipped, 1).await;
    }
    world.report(&task, "user_preferences", StepState::Done, 1).await;
    world.report(&task, "user_tasks", StepState::Refused, 1).await;
    let refused = producer.task_is(&task, "refused").await;
    let states: Vec<_> = refused["steps"].as_array().unwrap().iter().map(|step| &step["state"]).collect();
    assert_eq!(states, ["refused", "done", "done", "skipped", "skipped"]);
    assert_eq!(refused["steps"][0]["error"], "as the test wants it");
}

#[tokio::test]
async fn a_parked_step_that_is_sent_again_by_hand_still_ends_well() {
    let world = World::new().await;
    let producer = world.producer().await;
    let task = producer.insert("A1").answer().await.expect(202).task();
    world.report(&task, "insert_record", StepState::Failed, 5).await;
    producer.task_is(&task, "failed").await;
    world.report(&task, "insert_record", StepState::Done, 1).await;
    producer.task_is(&task, "done").await;
}

#[tokio::test]
async fn reports_about_unknown_tasks_and_steps_harm_nobody() {
    let world = World::new().await;
    let producer = world.producer().await;
    let task = producer.insert("A1").answer().await.expect(202).task();
    let report = |task_id: Uuid, step: &str| StepReport {
        task_id,
        step: step.to_owned(),
        state: StepState::Done,
        attempt: 1,
        error: Some("with a zero: \0".to_owned()),
        at: OffsetDateTime::now_utc(),
    };
    let id = task.parse().unwrap();
    world
        .report_all(vec![report(Uuid::now_v7(), "insert_record"), report(id, "elsewhere"), report(id, "insert_record")])
        .await;
    producer.task_is(&task, "done").await;
    assert_eq!(world.rabbit.queue_depth("producer.tasks.dead").await, 0);
}

#[tokio::test]
async fn reports_and_the_relay_s_marks_on_the_same_tasks_do_not_block_each_other() {
    let world = World::new().await;
    let producer = world.producer().await;
    // Reported as soon as it is sent, so that the relay is still marking when the reports come.
    let rounds = (0..8).map(async |round| {
        let inserts = (0..100).map(|number| producer.insert(&format!("R{round}-{number}")).answer());
        let tasks: Vec<String> =
            futures_util::future::join_all(inserts).await.into_iter().map(|answer| answer.expect(202).task()).collect();
        let report = |task: &String| StepReport {
            task_id: task.parse().unwrap(),
            step: "insert_record".to_owned(),
            state: StepState::Done,
            attempt: 1,
            error: None,
            at: OffsetDateTime::now_utc(),
        };
        world.report_all(tasks.iter().rev().map(report).collect()).await;
    });
    futures_util::future::join_all(rounds).await;
    testkit::eventually("all tasks are done", async || {
        (world.count("SELECT count(*) FROM tasks WHERE outcome = 'done' AND published_at IS NOT NULL").await == 800)
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn tasks_are_listed_by_state_page_by_page() {
    let world = World::new().await;
    let producer = world.producer().await;
    let mut tasks = Vec::new();
    for number in 0..5 {
        tasks.push(producer.insert(&format!("R{number}")).answer().await.expect(202).task());
    }
    world.report(&tasks[1], "insert_record", StepState::Done, 1).await;
    world.report(&tasks[3], "insert_record", StepState::Failed, 5).await;
    producer.task_is(&tasks[1], "done").await;
    producer.task_is(&tasks[3], "failed").await;
    for task in [&tasks[0], &tasks[2], &tasks[4]] {
        producer.task_is(task, "published").await;
    }
    let listed = async |query: &str| -> (Vec<String>, Value) {
        let page = producer.get(&format!("/tasks?{query}")).answer().await.expect(200).json();
        let ids =
            page["tasks"].as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap().to_owned()).collect();
        (ids, page["next"].clone())
    };
    let pick = |numbers: &[usize]| -> Vec<String> { numbers.iter().map(|&number| tasks[number].clone()).collect() };
    assert_eq!(listed("").await.0, pick(&[4, 3, 2, 1, 0]));
    assert_eq!(listed("state=done").await, (pick(&[1]), Value::Null));
    assert_eq!(listed("state=failed").await.0, pick(&[3]));
    assert_eq!(listed("state=refused").await.0, pick(&[]));
    assert_eq!(listed("state=accepted").await.0, pick(&[]));
    let (first, next) = listed("state=published&limit=2").await;
    assert_eq!((first, next.as_str()), (pick(&[4, 2]), Some(tasks[2].as_str())));
    assert_eq!(listed(&format!("state=published&limit=2&after={}", tasks[2])).await, (pick(&[0]), Value::Null));
    let wrong = producer.get("/tasks?state=lost").answer().await.expect(422);
    insta::assert_json_snapshot!("an_unknown_state", wrong.problem());
}

#[tokio::test]
async fn an_unknown_task_is_not_found() {
    let world = World::new().await;
    let producer = world.producer().await;
    let unknown = Uuid::now_v7();
    let missing = producer.get(&format!("/tasks/{unknown}")).answer().await.expect(404);
    insta::assert_json_snapshot!("an_unknown_task", missing.problem());
    producer.get(&format!("/tasks/{unknown}/events")).answer().await.expect(404);
    producer.get("/tasks/seven").answer().await.expect(404);
}

#[tokio::test]
async fn a_task_s_events_tell_each_change_and_end_with_it() {
    let world = World::new().await;
    let producer = world.producer().await;
    let task = producer.create_user("ada@example.org").answer().await.expect(202).task();
    producer.task_is(&task, "published").await;
    let mut events = producer.get(&format!("/tasks/{task}/events")).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let mut seen = String::new();
    let mut done_steps = async |expected: usize| {
        while seen.matches(r#""state":"done","attempts""#).count() < expected {
            let chunk = events.chunk().await.unwrap().expect("the stream goes on");
            seen.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    };
    done_steps(0).await;
    let steps = ["user_tasks", "user_sessions", "user_preferences", "user_search", "welcome_messages"];
    for (reported, step) in steps.into_iter().enumerate() {
        world.report(&task, step, StepState::Done, 1).await;
        // Each event tells of all that was done until then.
        done_steps((1..=reported + 1).sum()).await;
    }
    while let Some(chunk) = events.chunk().await.unwrap() {
        seen.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let events: Vec<&str> = seen.split("\n\n").filter(|event| !event.is_empty()).collect();
    assert_eq!(events.len(), 1 + steps.len(), "{seen}");
    for (number, event) in events.iter().enumerate() {
        assert!(event.contains("event: task") && event.contains(&format!("id: {number}")), "{event}");
    }
    assert!(events[5].contains(r#""state":"done","accepted_at""#), "{}", events[5]);
}

#[tokio::test]
async fn a_task_that_ended_long_ago_is_deleted_and_one_that_has_not_ended_is_kept() {
    let world = World::new().await;
    let producer = world.producer_with(&["--reconcile-after=3600"]).await;
    let ended = producer.insert("S1").answer().await.expect(202).task();
    let open = producer.insert("S2").answer().await.expect(202).task();
    world.report(&ended, "insert_record", StepState::Done, 1).await;
    producer.task_is(&ended, "done").await;
    producer.stop().await;

    let producer = world.producer_with(&["--task-retention=0.001"]).await;
    eventually("the task is deleted", async || {
        (producer.get(&format!("/tasks/{ended}")).answer().await.status == 404).then_some(())
    })
    .await;
    assert_ne!(producer.task(&open).await["state"], "done");
}
