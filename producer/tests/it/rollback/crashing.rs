//! A rollback goes on wherever it was when its producer died, and is made once however many producers there are.

use std::collections::BTreeSet;

use contracts::tasks::StepState;
use futures_util::future::join_all;
use serde_json::json;
use testkit::eventually;

use super::{Whole, counts, deletion_of, deletions_told, finish, wanted};
use crate::shipped::Shipped;
use crate::support::{Ask, World};

/// Has every commit wait that brings this about in a task, for as long as the lock 42 is held.
const WAIT_AT_COMMIT: &str = "
    CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER at_begin AFTER UPDATE ON tasks DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (OLD.rollback_task_id IS NULL AND NEW.rollback_task_id IS NOT NULL) EXECUTE FUNCTION wait_at_commit();
    CREATE CONSTRAINT TRIGGER at_end AFTER UPDATE ON tasks DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (NEW.outcome = 'rolled_back') EXECUTE FUNCTION wait_at_commit();";

async fn until_blocked(world: &World) {
    let blocked = "SELECT count(*) FROM pg_locks
                   WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    eventually("a commit waits", async || (world.count(blocked).await > 0).then_some(())).await;
}

#[tokio::test]
async fn a_producer_killed_at_any_step_leaves_a_rollback_that_another_one_finishes_once() {
    let world = World::new().await;
    let shipped = Shipped::start(&world).await;
    sqlx::raw_sql(WAIT_AT_COMMIT).execute(world.postgres.pool()).await.unwrap();
    let created = shipped.post("/users", &wanted("ada@example.org")).answer().await.expect(202);
    let mut held = world.postgres.pool().begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(42)").execute(&mut *held).await.unwrap();
    world.report(&created.task(), "user_tasks", StepState::Failed, 5).await;

    // All is done but the commit: it comes to nothing.
    until_blocked(&world).await;
    shipped.program.kill9().await;
    let session_gone = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'outbox relay' AND datname = current_database()";
    let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'outbox relay' AND datname = current_database()";
    world.count(ended).await;
    eventually("its session is gone", async || (world.count(session_gone).await == 0).then_some(())).await;
    assert_eq!(counts(&world).await, (1, 0));

    // The next one begins, and is killed when the deletion is done and the end is not recorded.
    held.rollback().await.unwrap();
    let producer = world.producer().await;
    let deletion = deletion_of(&producer, &created.task()).await;
    producer.stop().await;
    assert_eq!(counts(&world).await, (0, 1));
    let mut held = world.postgres.pool().begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(42)").execute(&mut *held).await.unwrap();
    shipped.program.start_again().await;
    shipped.program.wait_ready(&format!("{}/ready", shipped.base)).await;
    let task = shipped.get(&format!("/tasks/{deletion}")).answer().await.expect(200).json();
    world.report_all(super::reports(&deletion, &super::steps(&task, &[]), StepState::Done)).await;
    until_blocked(&world).await;
    shipped.program.kill9().await;
    world.count(ended).await;
    eventually("its session is gone", async || (world.count(session_gone).await == 0).then_some(())).await;
    held.rollback().await.unwrap();

    let producer = world.producer().await;
    assert_eq!(producer.task_is(&created.task(), "rolled_back").await["rollback_task_id"], json!(deletion));
    assert_eq!(counts(&world).await, (0, 1));
    assert!(deletions_told(&world, 1).await.contains_key(&deletion));
}

#[tokio::test]
async fn many_rollbacks_are_each_made_once_while_the_producers_take_over_from_one_another() {
    let world = World::new().await;
    let (first, second) = (world.producer().await, world.producer().await);
    let wholes: Vec<Whole> = join_all((0..150).map(|number| {
        let producer = if number % 2 == 0 { &first } else { &second };
        async move { Whole::create(producer, &format!("u{number}@example.org")).await }
    }))
    .await;
    let failed = wholes.iter().flat_map(|whole| {
        super::reports(&whole.task, &["user_search".to_owned(), "user_tasks".to_owned()], StepState::Failed)
    });
    world.report_all(failed.collect()).await;
    eventually("the first rollbacks have begun", async || (counts(&world).await.1 > 0).then_some(())).await;
    first.stop().await;
    eventually("all have", async || (counts(&world).await == (0, 150)).then_some(())).await;

    let mut undone = BTreeSet::new();
    for whole in &wholes {
        let deletion = deletion_of(&second, &whole.task).await;
        assert!(undone.insert(deletion.clone()), "one deletion undoes two tasks");
        finish(&world, &second, &deletion, &[]).await;
    }
    eventually("all are undone", async || {
        let over =
            "SELECT count(*) FROM tasks WHERE outcome = 'rolled_back' AND ended_at IS NOT NULL AND message IS NULL";
        (world.count(over).await == 150).then_some(())
    })
    .await;
    assert_eq!(counts(&world).await, (0, 150));
    let told: BTreeSet<String> = deletions_told(&world, 150).await.into_keys().collect();
    assert_eq!(told, undone);
}
