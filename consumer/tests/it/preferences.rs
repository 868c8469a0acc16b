//! What users prefer: from the events into MongoDB.

use bson::{Document, doc};
use consumer::handlers::user_preferences::KeepPreferences;
use contracts::users::{UserCreated, UserEvent, UserState, UserUpdated};
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::{TestMongo, eventually};
use uuid::Uuid;

use super::converging::{RUNTIME, for_cases, handle, user_histories};
use super::outages::outage;
use super::support::{Servers, created, deleted, updated, user, user_history, versioned};

fn preferring(id: Uuid, second: i64, preferences: Value) -> UserState {
    let preferences = preferences.as_object().expect("preferences are an object").clone();
    UserState { preferences: Some(preferences), ..user(id, "Ada", second) }
}

/// The document, without what every one has.
async fn document(mongo: &TestMongo, id: Uuid) -> Option<Document> {
    let collection = mongo.database().collection::<Document>("user_preferences");
    collection.find_one(doc! { "_id": id.to_string() }).await.expect("MongoDB can be read")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_prefers_is_kept_until_the_user_is_deleted() {
    let site = Servers::new().await.start(&["user_preferences"]).await;
    let mongo = &site.servers.mongo;
    let id = Uuid::now_v7();
    let preferences =
        json!({ "theme": "dark", "mail": { "weekly": true, "topics": ["$set", 1, 1.5, null] }, "ü 😀": "" });
    site.publish([versioned(&UserCreated(preferring(id, 0, preferences)), 1)]).await;
    assert_eq!(site.reports(1).await[0]["step"], "user_preferences");
    let expected = doc! {
        "_id": id.to_string(),
        "user_id": id.to_string(),
        "preferences": {
            "theme": "dark", "mail": { "weekly": true, "topics": ["$set", 1_i64, 1.5, bson::Bson::Null] }, "ü 😀": "",
        },
        "metadata": { "created_at": bson::DateTime::from_millis(1_700_000_000_000), "source": "consumer" },
        "version": 1_i64,
        "deleted": false,
    };
    // The test publishes in the consumer's name.
    assert_eq!(sorted(document(mongo, id).await.unwrap()), sorted(expected));

    site.publish([versioned(&UserUpdated(preferring(id, 1, json!({ "theme": "light" }))), 2)]).await;
    site.reports(1).await;
    assert_eq!(document(mongo, id).await.unwrap().get_document("preferences").unwrap(), &doc! { "theme": "light" });

    site.publish([versioned(&updated(id, "Ada", 2), 3)]).await;
    site.reports(1).await;
    assert_eq!(document(mongo, id).await.unwrap().get_document("preferences").unwrap(), &doc! {});

    site.publish([versioned(&deleted(id), 4)]).await;
    site.reports(1).await;
    let tombstone = doc! { "_id": id.to_string(), "user_id": id.to_string(), "version": 4_i64, "deleted": true };
    assert_eq!(sorted(document(mongo, id).await.unwrap()), sorted(tombstone));
}

/// Fields in the order of their names: MongoDB keeps them as they came.
fn sorted(document: Document) -> Document {
    let mut fields: Vec<_> = document.into_iter().collect();
    fields.sort_by(|one, other| one.0.cmp(&other.0));
    fields
        .into_iter()
        .map(|(name, value)| match value {
            bson::Bson::Document(inner) => (name, bson::Bson::Document(sorted(inner))),
            other => (name, other),
        })
        .collect()
}

#[test]
fn any_order_and_duplication_of_a_users_events_ends_in_the_preferences_that_were_accepted_last() {
    let (servers, stores) = RUNTIME.block_on(async {
        let servers = Servers::new().await;
        let stores = servers.stores().await;
        (servers, stores)
    });
    let handler = KeepPreferences(stores.preferences().unwrap().clone());
    for_cases(&user_histories(), |(updates, ends_deleted, order, size)| {
        RUNTIME.block_on(async {
            let id = Uuid::now_v7();
            let history: Vec<_> = user_history(id, updates, ends_deleted).into_iter().map(with_preferences).collect();
            handle(&handler, &history, &order, size).await;
            let stored = document(&servers.mongo, id).await.expect("there is a document");
            prop_assert_eq!(stored.get_i64("version").unwrap(), history.len() as i64);
            prop_assert_eq!(stored.get_bool("deleted").unwrap(), ends_deleted);
            match history[history.len() - 1].state() {
                Some(state) => {
                    prop_assert_eq!(stored.get_document("preferences").unwrap(), &doc! { "called": &state.name });
                }
                None => prop_assert!(stored.get("preferences").is_none() && stored.get("metadata").is_none()),
            }
            handle(&handler, &history, &order.iter().rev().copied().collect::<Vec<_>>(), size).await;
            prop_assert_eq!(document(&servers.mongo, id).await, Some(stored));
            Ok(())
        })
    });
}

/// Each state with preferences of its own.
fn with_preferences(event: UserEvent) -> UserEvent {
    let prefers = |mut state: UserState| {
        state.preferences = json!({ "called": &state.name }).as_object().cloned();
        state
    };
    match event {
        UserEvent::Created(UserCreated(state)) => UserEvent::Created(UserCreated(prefers(state))),
        UserEvent::Updated(UserUpdated(state)) => UserEvent::Updated(UserUpdated(prefers(state))),
        deleted @ UserEvent::Deleted(_) => deleted,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_mongodb_would_take_for_a_command_is_parked_and_the_rest_of_its_batch_is_stored() {
    let site = Servers::new().await.start(&["user_preferences"]).await;
    let ids: Vec<_> = (0..5).map(|_| Uuid::now_v7()).collect();
    let wrong = [json!({ "$set": 1 }), json!({ "a": { "b.c": 1 } }), json!({ "a\u{0}": 1 })];
    let mut messages: Vec<_> = ids.iter().map(|id| versioned(&created(*id, "Ada"), 1)).collect();
    for preferences in wrong {
        messages.insert(2, versioned(&UserCreated(preferring(Uuid::now_v7(), 0, preferences)), 1));
    }
    site.publish(messages).await;
    let reports = site.reports(8).await;
    let failed: Vec<_> = reports.iter().filter(|report| report["state"] == "failed").collect();
    assert_eq!(failed.len(), 3);
    for report in failed {
        assert!(report["error"].as_str().unwrap().contains("a name that cannot be kept"), "{report}");
    }
    site.holds("user_preferences.dead", 3).await;
    for id in ids {
        assert!(document(&site.servers.mongo, id).await.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_published_by_hand_says_so_and_gives_way_to_the_producers() {
    let site = Servers::new().await.start(&["user_preferences"]).await;
    let (rabbit, mongo) = (&site.servers.rabbit, &site.servers.mongo);
    let id = Uuid::now_v7();
    let by_hand = json!({ "user_id": id, "name": "Ada", "email": "ada@example.org", "preferences": { "a": 1 },
        "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z" });
    rabbit.publish("events", "user.created", json!({}), by_hand.to_string()).await;
    let stored = eventually("it is stored", || document(mongo, id)).await;
    assert_eq!(stored.get_document("metadata").unwrap().get_str("source").ok(), Some("by hand"));
    assert_eq!(stored.get_i64("version").ok(), Some(0));

    site.publish([versioned(&UserCreated(preferring(id, 0, json!({ "a": 2 }))), 1)]).await;
    site.reports(1).await;
    rabbit.publish("events", "user.created", json!({}), by_hand.to_string()).await;
    let gone = json!({ "user_id": id, "deleted_at": "2024-01-02T00:00:00Z" });
    rabbit.publish("events", "user.deleted", json!({}), gone.to_string()).await;
    site.holds("user_preferences.dead", 2).await;
    assert_eq!(document(mongo, id).await.unwrap().get_document("preferences").ok(), Some(&doc! { "a": 2_i64 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_mongodb_is_down_preferences_wait_and_no_attempt_is_spent() {
    let ids: Vec<_> = (0..5).map(|_| Uuid::now_v7()).collect();
    let messages = ids.iter().map(|id| versioned(&created(*id, "Ada"), 1)).collect();
    let (site, _proxy) = outage("--mongodb-url", "user_preferences", false, messages).await;
    for id in ids {
        assert!(document(&site.servers.mongo, id).await.is_some());
    }
}
