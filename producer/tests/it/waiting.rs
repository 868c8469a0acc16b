//! `Prefer: wait=N`: a write that is answered when its task has ended, whichever producer hears of it.

use contracts::tasks::StepState;

use crate::support::{Ask, World};

#[tokio::test]
async fn a_write_waits_for_the_end_of_its_task_whichever_producer_hears_of_it() {
    let world = World::new().await;
    let producers = [world.producer().await, world.producer().await];
    // The broker hands the reports to the producers in turn, so some end at the one that did not accept.
    for number in 0..6 {
        let (state, expected) = if number < 4 { (StepState::Done, "done") } else { (StepState::Refused, "refused") };
        let write = producers[number % 2].insert(&format!("R{number}")).header("prefer", "wait=20").answer();
        let consume = async {
            let message = &world.take("insert_record", 1).await[0];
            world.report(message.properties["message_id"].as_str().unwrap(), "insert_record", state, 1).await;
        };
        let (answer, ()) = tokio::join!(write, consume);
        let answer = answer.expect(200);
        assert_eq!(answer.header("preference-applied"), "wait=20");
        assert_eq!(answer.header("location"), format!("/tasks/{}", answer.task()));
        assert_eq!(answer.json()["state"], expected);
        assert_eq!(answer.json()["steps"][0]["state"], expected);
    }
}

#[tokio::test]
async fn a_task_that_does_not_end_in_time_is_answered_as_usual() {
    let world = World::new().await;
    let producer = world.producer().await;
    let answer = producer.insert("A1").header("prefer", "wait=1").answer().await.expect(202);
    assert_eq!(answer.header("preference-applied"), "");
    assert!(answer.json().get("state").is_none());
}

#[tokio::test]
async fn a_repeated_write_waits_too() {
    let world = World::new().await;
    let producer = world.producer().await;
    let task = producer.insert("A1").header("idempotency-key", "k").answer().await.expect(202).task();
    world.report(&task, "insert_record", StepState::Done, 1).await;
    let again =
        producer.insert("A1").header("idempotency-key", "k").header("prefer", "wait=20").answer().await.expect(200);
    assert_eq!((again.task(), &again.json()["state"]), (task, &"done".into()));
}

#[tokio::test]
async fn a_producer_that_stops_does_not_make_anybody_wait() {
    let world = World::new().await;
    let producer = world.producer().await;
    let write = producer.insert("A1").header("prefer", "wait=30");
    let waiting = tokio::spawn(async move { write.answer().await });
    testkit::eventually("the write is committed", async || {
        (world.count("SELECT count(*) FROM tasks").await == 1).then_some(())
    })
    .await;
    producer.stop().await;
    waiting.await.unwrap().expect(202);
}
