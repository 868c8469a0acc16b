//! Versions count the accepted changes of an aggregate, without gap or repetition, however many write at once.

use futures_util::future::join_all;

use crate::support::{Ask, World};

#[tokio::test]
async fn a_hundred_tasks_on_one_record_leave_contiguous_versions_and_as_many_messages() {
    let world = World::new().await;
    let producers = [world.producer().await, world.producer().await];
    let attempts = (0..100).map(|number| {
        let producer = &producers[number % 2];
        async move {
            let (inserted, deleted) = if number % 3 == 0 {
                (producer.insert("A1").answer().await, producer.delete("/records/A1").answer().await)
            } else {
                let deleted = producer.delete("/records/A1").answer().await;
                (producer.insert("A1").answer().await, deleted)
            };
            (inserted.status.as_u16(), deleted.status.as_u16())
        }
    });
    let outcomes = join_all(attempts).await;
    assert!(outcomes.iter().all(|(insert, delete)| [202, 409].contains(insert) && [202, 404].contains(delete)));
    let inserts = outcomes.iter().filter(|(insert, _)| *insert == 202).count();
    let deletes = outcomes.iter().filter(|(_, delete)| *delete == 202).count();
    assert!(inserts > 1, "they took turns");

    let mut versions = Vec::new();
    for (queue, messages, first) in [("insert_record", inserts, 1), ("delete_record", deletes, 2)] {
        for message in world.take(queue, messages).await {
            let version = message.headers["x-version"].as_i64().unwrap();
            assert_eq!(version % 2, first % 2, "inserts and deletes take turns");
            versions.push(version);
        }
    }
    versions.sort_unstable();
    let changes = i64::try_from(inserts + deletes).unwrap();
    assert_eq!(versions, (1..=changes).collect::<Vec<_>>());
    assert_eq!(world.count("SELECT version FROM records").await, changes);
    assert_eq!(world.count("SELECT count(*) FROM tasks").await, changes);
}

#[tokio::test]
async fn two_producers_that_insert_the_same_new_records_at_once_both_answer_each_write() {
    let world = World::new().await;
    let producers = [world.producer().await, world.producer().await];
    let requests = (0..400).map(|number| producers[number % 2].insert(&format!("R{}", number / 2)).answer());
    let answers = join_all(requests).await;
    for pair in answers.chunks(2) {
        let mut statuses = [pair[0].status.as_u16(), pair[1].status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [202, 409], "{} {}", pair[0].body, pair[1].body);
    }
    assert_eq!(world.count("SELECT count(*) FROM tasks").await, 200);
}
