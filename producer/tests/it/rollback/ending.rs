//! How a rollback ends when something else happens to the user, the step or the deletion.

use contracts::tasks::StepState;
use serde_json::{Value, json};

use super::{Whole, counts, deletion_of, finish};
use crate::support::{Ask, World};

#[tokio::test]
async fn a_user_that_was_deleted_meanwhile_is_not_deleted_again() {
    let world = World::new().await;
    let producer = world.producer().await;
    let whole = Whole::create(&producer, "ada@example.org").await;
    producer.delete(&whole.path()).answer().await.expect(202);
    world.report(&whole.task, "user_tasks", StepState::Failed, 5).await;
    let undone = producer.task_is(&whole.task, "rolled_back").await;
    assert_eq!(undone.get("rollback_task_id"), None);
    assert_eq!(undone["reason"], "the step user_tasks was parked: as the test wants it");
    assert_eq!(counts(&world).await, (0, 1));
}

/// The leader's transaction leaves a user alone that another one holds, so a lock keeps a rollback from beginning.
#[tokio::test]
async fn a_step_that_is_done_after_all_before_the_rollback_began_ends_it() {
    let world = World::new().await;
    let producer = world.producer().await;
    let whole = Whole::create(&producer, "ada@example.org").await;
    let mut held = world.postgres.pool().begin().await.unwrap();
    sqlx::query("SELECT FROM users FOR UPDATE").execute(&mut *held).await.unwrap();
    world.report(&whole.task, "user_search", StepState::Failed, 5).await;
    let rolling = producer.task_is(&whole.task, "rolling_back").await;
    assert_eq!(rolling.get("rollback_task_id"), None);
    // It was put off, so the leader has looked.
    testkit::eventually("the leader has found the user held", async || {
        (world.count("SELECT count(*) FROM tasks WHERE reconcile_at > reported_at").await == 1).then_some(())
    })
    .await;

    world.report(&whole.task, "user_search", StepState::Done, 1).await;
    // The message is kept for the reconciler until the task ends.
    testkit::eventually("the task goes on", async || {
        (producer.task(&whole.task).await["state"] == "published").then_some(())
    })
    .await;
    assert_eq!(world.count("SELECT count(*) FROM tasks WHERE message IS NOT NULL").await, 1);
    finish(&world, &producer, &whole.task, &["user_search"]).await;
    held.rollback().await.unwrap();
    let done = producer.task_is(&whole.task, "done").await;
    assert_eq!((done.get("reason"), counts(&world).await), (None, (1, 0)));
}

#[tokio::test]
async fn a_step_that_is_done_after_all_once_the_rollback_has_begun_changes_nothing() {
    let world = World::new().await;
    let producer = world.producer().await;
    let whole = Whole::create(&producer, "ada@example.org").await;
    world.report(&whole.task, "user_search", StepState::Failed, 5).await;
    let deletion = deletion_of(&producer, &whole.task).await;
    finish(&world, &producer, &whole.task, &[]).await;
    testkit::eventually("the step is done", async || {
        let task: Value = producer.task(&whole.task).await;
        let done = task["steps"].as_array()?.iter().all(|step| step["state"] != "failed");
        assert_eq!(task["state"], "rolling_back");
        done.then_some(())
    })
    .await;
    finish(&world, &producer, &deletion, &[]).await;
    producer.task_is(&whole.task, "rolled_back").await;
    // And again: the parked message is sent once more by hand.
    world.report(&whole.task, "user_search", StepState::Done, 2).await;
    testkit::eventually("the second report is taken in", async || {
        let task = producer.task(&whole.task).await;
        task["steps"].as_array()?.iter().any(|step| step["attempts"] == 2).then_some(())
    })
    .await;
    assert_eq!(producer.task(&whole.task).await["state"], "rolled_back");
    assert_eq!(counts(&world).await, (0, 1));
}

#[tokio::test]
async fn a_deletion_that_is_parked_itself_is_told_and_ends_the_rollback_when_it_is_sent_again() {
    let world = World::new().await;
    let producer = world.producer_with(&["--task-retention=0.001"]).await;
    let whole = Whole::create(&producer, "ada@example.org").await;
    world.report(&whole.task, "user_search", StepState::Failed, 5).await;
    let deletion = deletion_of(&producer, &whole.task).await;
    finish(&world, &producer, &deletion, &["user_tasks"]).await;
    world.report(&deletion, "user_tasks", StepState::Failed, 5).await;
    producer.task_is(&deletion, "failed").await;
    let stuck = testkit::eventually("the task says so", async || {
        let task = producer.task(&whole.task).await;
        (task["reason"] != "the step user_search was parked: as the test wants it").then_some(task)
    })
    .await;
    assert_eq!(
        (&stuck["state"], &stuck["reason"]),
        (
            &json!("rolling_back"),
            &json!(
                "the step user_search was parked: as the test wants it; the user is not deleted everywhere: \
                 the step user_tasks was parked: as the test wants it"
            )
        )
    );
    producer.stop().await;

    // What is not over is not swept, however old.
    let producer = world.producer_with(&["--task-retention=0.001"]).await;
    let old = producer.insert("S1").answer().await.expect(202).task();
    world.report(&old, "insert_record", StepState::Done, 1).await;
    producer.task_is(&old, "done").await;
    producer.stop().await;
    let producer = world.producer_with(&["--task-retention=0.001"]).await;
    testkit::eventually("what is over is swept", async || {
        (producer.get(&format!("/tasks/{old}")).answer().await.status == 404).then_some(())
    })
    .await;
    producer.stop().await;
    let producer = world.producer().await;
    assert_eq!(producer.task(&whole.task).await["state"], "rolling_back");
    world.report(&deletion, "user_tasks", StepState::Done, 1).await;
    let undone = producer.task_is(&whole.task, "rolled_back").await;
    assert_eq!(undone["reason"], "the step user_search was parked: as the test wants it");
}
