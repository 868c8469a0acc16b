//! What cannot be handled fails alone, and says why.

use std::time::Duration;

use contracts::records::InsertRecord;
use contracts::users::{UserCreated, UserEvent};
use messaging::Outgoing;
use serde_json::json;
use testkit::{TestMessage, TestRabbit, eventually, eventually_within};

use super::support::{Servers, insert, record, versioned};

/// The server waits for locks itself before it gives up, for the batch and for the message alone.
const LOCKED: Duration = Duration::from_secs(60);

async fn parked(rabbit: &TestRabbit, queue: &str, count: usize) -> Vec<TestMessage> {
    let mut parked = Vec::new();
    while parked.len() < count {
        parked.extend(
            eventually(&format!("a message is in {queue}"), || async {
                let taken = rabbit.take(queue, 100).await;
                (!taken.is_empty()).then_some(taken)
            })
            .await,
        );
    }
    parked
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_table_cannot_hold_is_parked_and_the_rest_of_its_batch_is_stored() {
    let site = Servers::new().await.start(&["insert_record"]).await;
    let too_long = insert("S-long", &"x".repeat(256), 1);
    let mut messages: Vec<_> = (0..20).map(|i| insert(&format!("S{i}"), "Ada", 1)).collect();
    messages.insert(10, too_long.clone());
    site.publish(messages).await;

    let parked = parked(&site.servers.rabbit, "insert_record.dead", 1).await;
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].headers["x-dead-reason"], "`Name` is longer than 255 characters");
    assert_eq!(parked[0].properties["message_id"], json!(too_long.id));
    for i in 0..20 {
        site.found(&format!("/records/S{i}")).await;
    }
    let reports = site.reports(21).await;
    let failed: Vec<_> = reports.iter().filter(|report| report["state"] == "failed").collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["error"], "`Name` is longer than 255 characters");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_the_server_refuses_is_parked_and_the_rest_of_its_batch_is_stored() {
    let site = Servers::new().await.start(&["insert_record"]).await;
    sqlx::raw_sql("ALTER TABLE records ADD CONSTRAINT no_eve CHECK (name <> 'Eve')")
        .execute(site.servers.mysql.pool())
        .await
        .unwrap();
    site.publish((0..20).map(|i| insert(&format!("S{i}"), if i == 7 { "Eve" } else { "Ada" }, 1))).await;

    let parked = parked(&site.servers.rabbit, "insert_record.dead", 1).await;
    let reason = parked[0].headers["x-dead-reason"].as_str().unwrap();
    assert!(reason.starts_with("MariaDB/MySQL: ") && reason.contains("no_eve"), "{reason}");
    for i in (0..20).filter(|i| *i != 7) {
        site.found(&format!("/records/S{i}")).await;
    }
    assert_eq!(site.json("/records/S7").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_mongodb_fails_to_write_fails_alone() {
    let servers = Servers::new().await;
    let stores = servers.stores().await;
    // Somebody else's index makes one of the batch impossible, for now.
    let unique = bson::doc! {
        "createIndexes": "users", "indexes": [{ "key": { "email": 1 }, "name": "email", "unique": true }]
    };
    servers.mongo.database().run_command(unique).await.unwrap();
    let ids: Vec<_> = (0..3).map(|_| uuid::Uuid::now_v7()).collect();
    let mut states: Vec<_> = ids.iter().map(|id| super::support::user(*id, "Ada", 0)).collect();
    states[2].email = states[0].email.clone();
    let events: Vec<_> = states.into_iter().map(|state| UserEvent::Created(UserCreated(state))).collect();
    let batch: Vec<_> = events.iter().map(|event| (event, 1)).collect();

    let verdicts = stores.users().unwrap().apply(&batch).await.unwrap();

    // Its key is taken, but not by a newer version of itself: that must not pass for done.
    assert_eq!(verdicts.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(stores.users().unwrap().get(ids[2]).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_parked_with_its_reason_and_the_rest_of_its_batch_is_stored() {
    let site = Servers::new().await.start(&["insert_record", "tasks", "user_tasks", "user_sessions"]).await;
    let rabbit = &site.servers.rabbit;
    let poison = Outgoing::raw("commands", "insert_record", "insert_record", "not JSON");
    let unknown = Outgoing { kind: "insert_record.v9".to_owned(), ..versioned(&InsertRecord(record("S9", "x")), 1) };
    site.publish([insert("S1", "Ada", 1), poison, unknown, insert("S2", "Eva", 1)]).await;
    site.found("/records/S1").await;
    site.found("/records/S2").await;
    let mut reasons: Vec<_> = parked(rabbit, "insert_record.dead", 2)
        .await
        .iter()
        .map(|message| message.headers["x-dead-reason"].as_str().unwrap().to_owned())
        .collect();
    reasons.sort();
    assert!(reasons[0].starts_with("the body is not a valid `insert_record`"), "{reasons:?}");
    assert_eq!(reasons[1], "unknown message type `insert_record.v9`");

    site.publish([
        Outgoing::raw("commands", "message", "message", r#"{"message": 5}"#),
        Outgoing::raw("events", "user.renamed", "user.renamed", "{}"),
    ])
    .await;
    for queue in ["tasks.dead", "user_tasks.dead", "user_sessions.dead"] {
        assert_eq!(parked(rabbit, queue, 1).await.len(), 1, "{queue}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_somebody_holds_locked_is_retried_and_the_rest_of_its_batch_is_stored() {
    let site = Servers::new().await.start(&["insert_record"]).await;
    site.publish([insert("S1", "Ada", 1)]).await;
    site.reports(1).await;
    let mut held = site.servers.mysql.pool().begin().await.unwrap();
    sqlx::query("SELECT * FROM records WHERE srn = 'S1' FOR UPDATE").fetch_all(&mut *held).await.unwrap();
    site.publish([insert("S1", "Eva", 2), insert("S2", "Eve", 1)]).await;
    eventually_within(LOCKED, "the other record is there", || async {
        (site.get("/records/S2").await.status() == 200).then_some(())
    })
    .await;
    held.rollback().await.unwrap();
    eventually_within(LOCKED, "the record is there", || async {
        (site.json("/records/S1").await.1["Name"] == "Eva").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_whose_queue_was_deleted_is_not_lost() {
    let site = Servers::new().await.start(&["insert_record"]).await;
    site.servers.rabbit.delete_queue("producer.tasks").await;
    site.publish([insert("S1", "Ada", 1)]).await;
    eventually("the queue is there again", || async {
        site.servers.rabbit.queue_exists("producer.tasks").await.then_some(())
    })
    .await;
    assert_eq!(site.reports(1).await[0]["state"], "done");
}
