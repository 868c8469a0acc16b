//! Whatever is killed or cut off: what was accepted has its effect once, what was not has none.

use sqlx::postgres::PgPool;
use testkit::eventually;

use crate::shipped::Shipped;
use crate::support::{Ask, World};

/// Waits until a session of somebody else waits for a lock of this database.
async fn until_blocked(pool: &PgPool) {
    let blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND
                   (database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
    eventually("somebody waits for the lock", async || {
        let waiting: i64 = sqlx::query_scalar(blocked).fetch_one(pool).await.expect("the locks can be read");
        (waiting > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_producer_killed_before_the_commit_leaves_nothing_behind() {
    let world = World::new().await;
    let shipped = Shipped::start(&world).await;
    // The record is written; the task cannot be.
    let mut holder = world.postgres.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE tasks IN EXCLUSIVE MODE").execute(&mut *holder).await.unwrap();
    let write = shipped.insert("A1", "k");
    let writing = tokio::spawn(async move { write.send().await });
    until_blocked(world.postgres.pool()).await;
    shipped.program.kill9().await;
    assert!(writing.await.unwrap().is_err(), "nobody was told that it was accepted");
    holder.rollback().await.unwrap();

    shipped.program.start_again().await;
    shipped.program.wait_ready(&format!("{}/ready", shipped.base)).await;
    let accepted = shipped.insert("A1", "k").answer().await.expect(202);
    let message = &world.take("insert_record", 1).await[0];
    assert_eq!(message.properties["message_id"], accepted.task());
    assert_eq!(message.headers["x-version"], 1);
    assert_eq!(world.count("SELECT count(*) FROM tasks").await, 1);
}

#[tokio::test]
async fn a_connection_cut_during_the_commit_is_told_apart_by_the_key() {
    let world = World::new().await;
    let proxy = testkit::proxy(world.postgres.url()).await;
    let producer = world.producer_at(&proxy.url_for(world.postgres.url()), world.rabbit.url(), &[]).await;
    // A commit that waits: this is run when all else is done.
    sqlx::raw_sql(
        "CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER wait_at_commit AFTER INSERT ON tasks DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW EXECUTE FUNCTION wait_at_commit();",
    )
    .execute(world.postgres.pool())
    .await
    .unwrap();
    let mut holder = world.postgres.pool().begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(42)").execute(&mut *holder).await.unwrap();

    let write = || producer.insert("A1").header("idempotency-key", "k");
    let first = write();
    let writing = tokio::spawn(async move { first.answer().await });
    until_blocked(world.postgres.pool()).await;
    proxy.cut().await;
    let unknown = writing.await.unwrap().expect(503);
    insta::assert_json_snapshot!("an_unknown_outcome", unknown.problem());
    holder.rollback().await.unwrap();
    eventually("the commit went through all the same", async || {
        (world.count("SELECT count(*) FROM tasks").await == 1).then_some(())
    })
    .await;

    proxy.restore().await;
    let again = eventually("the database is back", async || {
        let answer = write().answer().await;
        (answer.status != 503).then_some(answer)
    })
    .await
    .expect(202);
    let stored: String =
        sqlx::query_scalar("SELECT id::text FROM tasks").fetch_one(world.postgres.pool()).await.unwrap();
    assert_eq!(again.task(), stored);
    assert_eq!(world.take("insert_record", 1).await[0].properties["message_id"], stored);
}

#[tokio::test]
async fn without_a_broker_writes_are_accepted_and_flow_later() {
    let world = World::new().await;
    let proxy = testkit::proxy(world.rabbit.url()).await;
    proxy.cut().await;
    let producer = world.producer_at(world.postgres.url(), &proxy.url_for(world.rabbit.url()), &[]).await;
    let task = producer.insert("A1").answer().await.expect(202).task();
    assert_eq!(producer.task(&task).await["state"], "accepted");
    let health = producer.get("/health").answer().await.expect(200).json();
    assert_eq!(
        (&health["status"], &health["dependencies"]["rabbitmq"]["status"]),
        (&"degraded".into(), &"down".into())
    );
    producer.get("/ready").answer().await.expect(200);

    proxy.restore().await;
    assert_eq!(world.take("insert_record", 1).await[0].properties["message_id"], task);
    producer.task_is(&task, "published").await;
}

#[tokio::test]
async fn without_postgres_writes_are_refused_until_it_is_back() {
    let world = World::new().await;
    let proxy = testkit::proxy(world.postgres.url()).await;
    let producer = world.producer_at(&proxy.url_for(world.postgres.url()), world.rabbit.url(), &[]).await;
    producer.insert("A1").answer().await.expect(202);
    proxy.cut().await;
    producer.insert("A2").answer().await.expect(503);
    producer.get("/users").answer().await.expect(503);
    eventually("it is not ready", async || (producer.get("/ready").answer().await.status == 503).then_some(())).await;
    proxy.restore().await;
    eventually("it is ready again", async || (producer.get("/ready").answer().await.status == 200).then_some(())).await;
    producer.insert("A3").answer().await.expect(202);
    world.take("insert_record", 2).await;
}

#[tokio::test]
async fn sigterm_under_load_finishes_what_was_begun_and_exits_with_zero() {
    let world = World::new().await;
    let shipped = Shipped::start(&world).await;
    let writing: Vec<_> = (0..200)
        .map(|number| {
            let write = shipped.insert(&format!("R{number}"), &format!("k{number}"));
            tokio::spawn(async move { write.send().await.is_ok_and(|response| response.status() == 202) })
        })
        .collect();
    eventually("some are accepted", async || (world.count("SELECT count(*) FROM tasks").await > 0).then_some(())).await;
    assert_eq!(shipped.program.sigterm().await, 0, "{}", shipped.program.logs());
    let mut accepted = 0;
    for write in writing {
        accepted += i64::from(write.await.unwrap());
    }
    assert_eq!(world.count("SELECT count(*) FROM tasks").await, accepted);

    shipped.program.start_again().await;
    world.take("insert_record", usize::try_from(accepted).unwrap()).await;
}
