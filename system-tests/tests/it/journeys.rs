//! The journeys, with one consumer that does everything and with one for each role; and what only a look into the stores
//! can tell of them.

use bson::Document;
use futures_util::TryStreamExt;
use redis::AsyncCommands;
use serde_json::json;
use system_tests::{Ask, journeys};
use testkit::{eventually, proxy};
use uuid::Uuid;

use crate::server::{Kind, Servers};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn every_journey_works_with_one_consumer_for_all_roles() {
    let world = World::with(&[]).await;
    journeys::all(&world.site).await;
    let instance = journeys::a_health_check_is_acknowledged(&world.site).await;
    assert!(instance.contains(&format!("/{}/", world.consumer.pid())), "{instance} is not {}", world.consumer.pid());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_journey_works_with_a_consumer_for_each_role() {
    let servers = Servers::with(&[]).await;
    let mut others = Vec::new();
    let alone =
        ["insert_record", "delete_record", "read_database", "health_check", "user_preferences", "welcome_messages"];
    for role in alone.into_iter().chain(["user_search", "product_search"]) {
        others.push(servers.consumer().await.role(role));
    }
    // The one that is read from needs MariaDB, for which read_database is the role.
    let reads = servers.consumer().await.role("tasks").role("user_tasks").role("user_sessions").role("read_database");
    let producer = servers.producer();
    let world = World::of(servers, producer, reads).await;
    let mut running = Vec::new();
    for other in others {
        running.push(other.start().await);
    }
    journeys::all(&world.site).await;
    let instance = journeys::a_health_check_is_acknowledged(&world.site).await;
    assert!(instance.contains(&format!("/{}/", running[3].pid())), "{instance} is not {}", running[3].pid());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_the_cache_has_lost_is_read_from_mongodb_and_kept_again() {
    let world = World::with(&[]).await;
    let user = json!({ "name": "Ada", "email": "ada@example.org", "password": "a long secret" });
    let id = world.site.post("/users", &user).effect().await.id("user_id");
    let mut redis = world.servers.redis().await;
    let () = redis.del(format!("user:{id}")).await.expect("Redis answers");
    for cache in ["miss", "hit"] {
        let user = world.site.read(&format!("/users/{id}")).answer().await.expect(200);
        assert_eq!(user.header("x-cache"), cache);
        assert_eq!(user.json()["name"], "Ada");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_accepted_then_published_then_done() {
    let servers = Servers::with(&[]).await;
    let proxy = proxy(servers.url(Kind::Rabbitmq)).await;
    let producer = servers.producer().env("AMQP_URL", &proxy.url_for(servers.url(Kind::Rabbitmq)));
    let consumer = servers.consumer().await;
    let world = World::of(servers, producer, consumer).await;
    world.consumer.stop().await;
    proxy.cut().await;
    let record = json!({ "SRN": "S1", "Name": "Ada", "Section": "B" });
    let task = world.site.post("/records", &record).answer().await.expect(202).id("task_id");
    let mut events = world.site.get(&format!("/tasks/{task}/events")).send().await.expect("the producer answers");
    let first = events.chunk().await.expect("the stream goes on").expect("and has something to tell");
    let is = async |state: &str| {
        eventually(&format!("the task is {state}"), async || {
            let task = world.site.get(&format!("/tasks/{task}")).answer().await.expect(200).json();
            (task["state"] == state).then_some(())
        })
        .await;
    };
    is("accepted").await;
    proxy.restore().await;
    is("published").await;
    world.consumer.start_again().await;
    is("done").await;
    let told =
        journeys::told(&(String::from_utf8_lossy(&first) + events.text().await.expect("the stream ends").as_str()));
    let states: Vec<_> = told.iter().map(|task| task["state"].as_str().unwrap_or_default()).collect();
    assert_eq!(states, ["accepted", "published", "done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_password_nor_its_hash_leaves_the_producers_database() {
    let servers = Servers::with(&[]).await;
    let (producer, consumer) =
        (servers.producer().env("RUST_LOG", "trace"), servers.consumer().await.env("RUST_LOG", "trace"));
    let world = World::of(servers, producer, consumer).await;
    let rabbit = world.servers.rabbit();
    // Gets a copy of every event and of every report.
    rabbit.declare_queue("spy", json!({})).await;
    rabbit.bind("spy", "events", "#").await;
    let password = format!("open sesame {}", Uuid::now_v7());
    let user = json!({ "name": "Ada", "email": "ada@example.org", "password": password });
    let keyed = || world.site.post("/users", &user).header("idempotency-key", "k");
    let id = keyed().effect().await.id("user_id");
    keyed().answer().await.expect(202);
    let wrong = json!({ "name": "", "email": "nobody", "password": password });
    let refused = world.site.post("/users", &wrong).answer().await.expect(422);
    world.site.put(&format!("/users/{id}"), &json!({ "name": "Ada King" })).effect().await;
    world.site.delete(&format!("/users/{id}")).effect().await;
    let live = json!({ "name": "Eve", "email": "eve@example.org", "password": password });
    world.site.post("/users", &live).effect().await;

    let postgres = world.servers.postgres();
    let hash: String = sqlx::query_scalar("SELECT password_hash FROM users WHERE email = 'eve@example.org'")
        .fetch_one(&postgres)
        .await
        .expect("Postgres answers");
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    let secrets = [password.as_str(), "$argon2id$", hash.rsplit('$').next().expect("a hash has parts")];
    let mut places =
        vec![("the answer to a wrong request", refused.body), ("the producer's log", world.producer.logs())];
    places.push(("the consumer's log", world.consumer.logs()));
    for message in rabbit.take("spy", 100).await {
        places.push(("a message", format!("{message:?}{}", String::from_utf8_lossy(&message.body))));
    }
    assert!(places.len() > 3 + 4, "the messages were not seen");
    places.push(("MongoDB", in_mongodb(&world).await));
    places.push(("Redis", in_redis(&world).await));
    let tasks = "SELECT string_agg(t::text, ' ') FROM tasks t";
    places.push(("the tasks", sqlx::query_scalar(tasks).fetch_one(&postgres).await.expect("Postgres answers")));
    let keys = "SELECT string_agg(k::text, ' ') FROM idempotency_keys k";
    places
        .push(("the idempotency keys", sqlx::query_scalar(keys).fetch_one(&postgres).await.expect("Postgres answers")));
    for (place, text) in places {
        assert!(!text.is_empty(), "{place} is empty");
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "{place} has a secret: {text}");
    }
}

async fn in_mongodb(world: &World) -> String {
    let database = world.servers.mongodb().await;
    let mut all = String::new();
    for name in database.list_collection_names().await.expect("MongoDB answers") {
        let found = database.collection::<Document>(&name).find(Document::new()).await.expect("MongoDB answers");
        let documents: Vec<Document> = found.try_collect().await.expect("MongoDB answers");
        all.push_str(&format!("{name} {documents:?}"));
    }
    all
}

async fn in_redis(world: &World) -> String {
    let mut redis = world.servers.redis().await;
    let keys: Vec<String> = redis.keys("*").await.expect("Redis answers");
    let values: Vec<String> = redis.mget(&keys).await.expect("Redis answers");
    format!("{keys:?} {values:?}")
}
