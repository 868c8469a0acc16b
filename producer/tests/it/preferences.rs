//! Preferences: stored, told and given back as they came, within limits.

use serde_json::{Value, json};

use crate::support::{Ask, Producer, World, user};

fn user_with(preferences: &Value) -> Value {
    let mut user = user("ada@example.org");
    user["preferences"] = preferences.clone();
    user
}

async fn seen(producer: &Producer, path: &str) -> Value {
    producer.get(path).answer().await.expect(200).json()["preferences"].clone()
}

#[tokio::test]
async fn preferences_are_stored_told_and_given_back_as_they_came() {
    let world = World::new().await;
    let producer = world.producer().await;
    let preferences = json!({ "theme": "dark", "mail": { "news": false, "days": [1, 2.5] }, "öäü": null });
    let created = producer.post("/user", &user_with(&preferences)).answer().await.expect(202).json();
    let path = format!("/users/{}", created["user_id"].as_str().unwrap());
    assert_eq!(seen(&producer, &path).await, preferences);

    // Another change keeps them, new ones take their place, and none is a value too.
    producer.put(&path, &json!({ "name": "Ada King" })).answer().await.expect(202);
    assert_eq!(seen(&producer, &path).await, preferences);
    let others = json!({ "theme": "light" });
    producer.put(&path, &json!({ "preferences": others })).answer().await.expect(202);
    assert_eq!(seen(&producer, &path).await, others);
    producer.put(&path, &json!({ "preferences": {} })).answer().await.expect(202);
    assert_eq!(seen(&producer, &path).await, json!({}));
    producer.put(&path, &json!({ "preferences": null })).answer().await.expect(422);

    let events = world.take("user_preferences", 4).await;
    let told: Vec<_> = events.iter().map(|event| event.json()["preferences"].clone()).collect();
    assert_eq!(told, [preferences.clone(), preferences, others, json!({})]);
}

#[tokio::test]
async fn who_never_said_anything_has_none() {
    let world = World::new().await;
    let producer = world.producer().await;
    let created = producer.create_user("ada@example.org").answer().await.expect(202).json();
    let found = producer.get(&format!("/users/{}", created["user_id"].as_str().unwrap())).answer().await.json();
    assert_eq!(found.get("preferences"), None);
    assert_eq!(world.take("user_preferences", 1).await[0].json().get("preferences"), None);
}

#[tokio::test]
async fn one_who_registers_may_say_them_too() {
    let world = World::new().await;
    let producer = world.producer().await;
    let preferences = json!({ "theme": "dark" });
    producer.post("/auth/register", &user_with(&preferences)).answer().await.expect(202);
    assert_eq!(world.take("user_preferences", 1).await[0].json()["preferences"], preferences);
}

#[tokio::test]
async fn what_is_wrong_with_them_is_said_by_field() {
    let world = World::new().await;
    let producer = world.producer().await;
    let mut wrong = user_with(&json!({ "$where": 1 }));
    wrong["name"] = json!(" ");
    let wrong = producer.post("/users", &wrong).answer().await.expect(422);
    insta::assert_json_snapshot!("wrong_preferences", wrong.problem());
    let kind = producer.post("/users", &user_with(&json!(["dark"]))).answer().await.expect(422);
    insta::assert_json_snapshot!("preferences_of_another_kind", kind.problem());
    let path = format!("/users/{}", uuid::Uuid::nil());
    let large = producer.put(&path, &json!({ "preferences": { "a": "x".repeat(5000) } })).answer().await.expect(422);
    assert_eq!(large.json()["errors"][0]["field"], "preferences");
    producer.post("/users", &user_with(&json!({ "a": "\0" }))).answer().await.expect(422);
}

#[tokio::test]
async fn they_belong_to_the_request_that_a_key_stands_for() {
    let world = World::new().await;
    let producer = world.producer().await;
    let create =
        |preferences: Value| producer.post("/users", &user_with(&preferences)).header("idempotency-key", "k").answer();
    let first = create(json!({ "a": 1, "b": 2 })).await.expect(202);
    assert_eq!(create(json!({ "b": 2, "a": 1 })).await.expect(202).body, first.body);
    create(json!({ "a": 1 })).await.expect(422);
}
