//! Messages that a person publishes in the management UI, with no properties at all.

use consumer::handlers::insert_record::InsertRecords;
use consumer::handlers::user_sessions::KeepSessions;
use consumer::handlers::user_tasks::KeepUsers;
use consumer::stores::profiles::Profiles;
use consumer::stores::users::Users;
use contracts::records::InsertRecord;
use contracts::users::UserEvent;
use messaging::{Delivery, Failure, FailureKind, HandleBatch};
use serde_json::json;
use testkit::eventually;
use uuid::Uuid;

use super::support::{Servers, Site, created, delivery, insert, record};

async fn site() -> Site {
    Servers::new().await.start(&[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_properties_is_handled_in_every_queue() {
    let site = site().await;
    let rabbit = &site.servers.rabbit;
    let id = Uuid::now_v7();
    let user = json!({ "user_id": id, "name": "Ada", "email": "ada@example.org",
        "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z" });
    for (exchange, routing_key, body) in [
        ("commands", "message", json!({ "message": "hello" })),
        ("commands", "insert_record", json!({ "Name": "Ada", "SRN": "S1", "Section": "B" })),
        ("", "insert_record", json!({ "name": "Eva", "srn": "S2", "section": "B" })),
        ("events", "user.created", user),
        ("commands", "health_check", json!({ "message": "anybody there?" })),
        ("commands", "read_database", json!({})),
    ] {
        assert!(rabbit.publish(exchange, routing_key, json!({}), body.to_string()).await, "{routing_key}");
    }
    assert_eq!(site.found("/records/S1").await["Name"], "Ada");
    assert_eq!(site.found("/records/S2").await["Name"], "Eva");
    assert_eq!(site.found(&format!("/users/{id}")).await["name"], "Ada");
    eventually("the text is there", || async {
        let (_, page) = site.json("/messages").await;
        (page["messages"][0]["message"] == "hello").then_some(())
    })
    .await;

    rabbit.publish("commands", "delete_record", json!({}), r#"{"SRN": "S1"}"#).await;
    site.gone("/records/S1").await;
    let gone = json!({ "user_id": id, "deleted_at": "2024-01-02T00:00:00Z" });
    rabbit.publish("events", "user.deleted", json!({}), gone.to_string()).await;
    site.gone(&format!("/users/{id}")).await;

    for queue in
        ["tasks", "insert_record", "delete_record", "user_tasks", "user_sessions", "health_check", "read_database"]
    {
        site.holds(queue, 0).await;
        assert_eq!(rabbit.queue_depth(&format!("{queue}.dead")).await, 0, "{queue}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_a_version_never_beats_what_the_producer_accepted() {
    let site = site().await;
    site.publish([insert("S1", "Ada", 1)]).await;
    site.found("/records/S1").await;
    let rabbit = &site.servers.rabbit;
    rabbit.publish("commands", "insert_record", json!({}), r#"{"Name":"Eve","SRN":"S1","Section":"X"}"#).await;
    rabbit.publish("commands", "delete_record", json!({}), r#"{"SRN":"S1"}"#).await;
    for queue in ["insert_record", "delete_record"] {
        site.holds(queue, 0).await;
        site.holds(&format!("{queue}.dead"), 1).await;
    }
    assert_eq!(site.found("/records/S1").await["Name"], "Ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_put_straight_into_its_queue_is_parked_because_it_says_not_which_it_is() {
    let site = site().await;
    let rabbit = &site.servers.rabbit;
    rabbit.publish("", "user_tasks", json!({}), "{}").await;
    let parked = eventually("it is parked", || async { rabbit.peek("user_tasks.dead", 1).await.pop() }).await;
    let reason = parked.headers["x-dead-reason"].as_str().unwrap();
    assert!(reason.contains("no `type` property"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_a_version_that_changes_nothing_is_rejected_with_the_reason() {
    let servers = Servers::new().await;
    let stores = servers.stores().await;
    let rejected = |verdicts: &[Result<(), Failure>]| -> Vec<bool> {
        let is_rejection =
            |verdict: &Result<(), Failure>| verdict.as_ref().is_err_and(|failure| failure.kind == FailureKind::Reject);
        verdicts.iter().map(is_rejection).collect()
    };

    let inserter = InsertRecords(stores.records().unwrap().clone());
    let message = |srn, version| delivery(InsertRecord(record(srn, "Ada")), version);
    inserter.handle_batch(&[message("S1", 3)]).await.unwrap();
    let verdicts = inserter.handle_batch(&[message("S1", 0), message("S2", 0), message("S1", 2)]).await.unwrap();
    assert_eq!(rejected(&verdicts), [true, false, false]);

    let (known, new) = (Uuid::now_v7(), Uuid::now_v7());
    let message = |id, version| delivery(UserEvent::Created(created(id, "Ada")), version);
    for handler in
        [Keeper::Users(stores.users().unwrap().clone()), Keeper::Sessions(stores.profiles().unwrap().clone())]
    {
        handler.handle(&[message(known, 3)]).await;
        let verdicts = handler.handle(&[message(known, 0), message(new, 0), message(known, 2), message(new, 0)]).await;
        assert_eq!(rejected(&verdicts), [true, false, false, false]);
    }
}

enum Keeper {
    Users(Users),
    Sessions(Profiles),
}

impl Keeper {
    async fn handle(&self, batch: &[Delivery<UserEvent>]) -> Vec<Result<(), Failure>> {
        match self {
            Self::Users(users) => KeepUsers(users.clone()).handle_batch(batch).await.expect("the store is there"),
            Self::Sessions(profiles) => {
                KeepSessions(profiles.clone()).handle_batch(batch).await.expect("the store is there")
            }
        }
    }
}
