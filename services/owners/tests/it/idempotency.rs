//! Creation that is asked for again.

use futures_util::future::join_all;
use mongodb::bson::{Document, doc};

use serde_json::Value;

use crate::support::{Ask, User, World, at, grace, id, path, user};

#[tokio::test]
async fn the_same_request_is_answered_as_the_first_time_and_takes_effect_once() {
    let world = World::new().await;
    let owners = world.owners().await;
    let user = user();
    let create = || owners.post(&grace()).header("idempotency-key", "k 1").by(&user);
    let first = create().answer().await.expect(201);
    let owner = first.json();
    owners.put(&owner, &at("elsewhere")).by(&user).answer().await.expect(200);

    let again = create().answer().await.expect(201);
    assert_eq!(again.json(), owner);
    for header in ["location", "etag"] {
        assert_eq!(again.header(header), first.header(header));
    }
    owners.delete(&owner).by(&user).answer().await.expect(204);
    assert_eq!(create().answer().await.expect(201).json(), owner);
    let all = owners.get("/v1/owners").answer().await.expect(200).json();
    assert_eq!(all["owners"], serde_json::json!([]));
    world.events(3).await;
}

#[tokio::test]
async fn another_request_under_the_key_is_refused_and_another_users_key_is_another() {
    let world = World::new().await;
    let owners = world.owners().await;
    let (user, other) = (user(), user());
    let create = |body: Value, user: &User| owners.post(&body).header("idempotency-key", "k").by(user);
    let owner = create(grace(), &user).answer().await.expect(201).json();
    let problem = create(at("elsewhere"), &user).answer().await.expect(422).json();
    assert_eq!(problem["errors"][0]["field"], "Idempotency-Key");
    let others = create(at("elsewhere"), &other).answer().await.expect(201).json();
    assert_ne!(id(&owner), id(&others));
    for wrong in ["", &"x".repeat(256)] {
        owners.post(&grace()).header("idempotency-key", wrong).by(&user).answer().await.expect(422);
    }
}

#[tokio::test]
async fn of_many_at_the_same_time_one_takes_effect_over_two_replicas() {
    let world = World::new().await;
    let (one, two) = tokio::join!(world.owners(), world.owners());
    let user = user();
    let creations = (0..10).map(|n| {
        let replica = if n % 2 == 0 { &one } else { &two };
        replica.post(&grace()).header("idempotency-key", "k").by(&user).answer()
    });
    let answers: Vec<_> = join_all(creations).await.into_iter().map(|answer| answer.expect(201).json()).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(one.get("/v1/owners").answer().await.json()["owners"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let world = World::new().await;
    let owners = world.owners().await;
    let user = user();
    let create = || owners.post(&grace()).header("idempotency-key", "k").by(&user);
    let first = create().answer().await.expect(201).json();
    let yesterday =
        mongodb::bson::DateTime::from_millis(mongodb::bson::DateTime::now().timestamp_millis() - 86_401_000);
    let documents = world.mongo.database().collection::<Document>("owners");
    let aged =
        documents.update_one(doc! { "_id": id(&first) }, doc! { "$set": { "created_with.at": yesterday } }).await;
    assert_eq!(aged.unwrap().modified_count, 1);

    let second = create().answer().await.expect(201).json();
    assert_ne!(id(&first), id(&second));
    owners.get(&path(&first)).answer().await.expect(200);
    assert_eq!(create().answer().await.expect(201).json(), second);
}
