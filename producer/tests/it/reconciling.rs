//! The reconciler: what the broker lost is sent again.

use contracts::tasks::StepState;

use crate::support::{Ask, World};

#[tokio::test]
async fn a_message_that_the_broker_lost_is_sent_again_under_the_same_id_until_its_task_ends() {
    let world = World::new().await;
    let producer = world.producer_with(&["--reconcile-after=0.3"]).await;
    let task = producer.insert("A1").answer().await.expect(202).task();
    let mut copies = world.take("insert_record", 3).await;
    let first = copies.remove(0);
    for copy in copies {
        assert_eq!(copy.properties["message_id"], task);
        assert_eq!((&copy.body, &copy.headers), (&first.body, &first.headers));
        assert_eq!(copy.properties["correlation_id"], first.properties["correlation_id"]);
    }
    world.report(&task, "insert_record", StepState::Done, 1).await;
    producer.task_is(&task, "done").await;
    let due = "SELECT count(*) FROM tasks WHERE outcome IS NULL";
    assert_eq!(world.count(due).await, 0);
}

#[tokio::test]
async fn each_time_it_waits_longer() {
    let world = World::new().await;
    let producer = world.producer_with(&["--reconcile-after=0.2"]).await;
    producer.insert("A1").answer().await.expect(202);
    testkit::eventually("sent again three times", async || {
        (world.count("SELECT republished::int8 FROM tasks").await == 3).then_some(())
    })
    .await;
    // 0.2 · 2³ from when it was sent the third time.
    let wait = "SELECT round(extract(epoch FROM reconcile_at - accepted_at) * 10)::int8 FROM tasks";
    assert!(world.count(wait).await >= 2 + 4 + 8 + 16);
}
