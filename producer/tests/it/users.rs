//! Users over HTTP.

use serde_json::json;

use crate::support::{Ask, World, user};

#[tokio::test]
async fn a_created_user_is_here_at_once_and_others_hear_of_it_without_the_password() {
    let world = World::new().await;
    let producer = world.producer().await;
    let accepted = producer.create_user("Ada@Example.org").answer().await.expect(202);
    let id = accepted.json()["user_id"].as_str().unwrap().to_owned();

    let found = producer.get(&format!("/users/{id}")).answer().await.expect(200);
    assert_eq!(found.header("etag"), "\"1\"");
    assert_eq!(found.json()["email"], "Ada@Example.org");
    assert!(!found.body.contains("argon2"), "{}", found.body);

    for queue in ["user_tasks", "user_sessions"] {
        let message = &world.take(queue, 1).await[0];
        assert_eq!(message.routing_key, "user.created");
        assert_eq!(message.headers["x-version"], 1);
        let event = message.json();
        assert_eq!(event["user_id"], id);
        assert_eq!(event["created_at"], found.json()["created_at"]);
        assert!(!String::from_utf8_lossy(&message.body).contains("password"), "{event}");
    }
    let hash: String =
        sqlx::query_scalar("SELECT password_hash FROM users").fetch_one(world.postgres.pool()).await.unwrap();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
}

#[tokio::test]
async fn an_email_address_is_taken_whatever_its_case() {
    let world = World::new().await;
    let producer = world.producer().await;
    producer.create_user("ada@example.org").answer().await.expect(202);
    let taken = producer.post("/user", &user("ADA@example.org")).answer().await.expect(409);
    insta::assert_json_snapshot!("a_taken_address", taken.problem());
}

#[tokio::test]
async fn of_many_that_want_the_same_address_at_once_one_gets_it() {
    let world = World::new().await;
    let (one, other) = (world.producer().await, world.producer().await);
    let requests = (0..20).map(|number| {
        let producer = if number % 2 == 0 { &one } else { &other };
        producer.create_user(if number % 4 < 2 { "ada@example.org" } else { "ADA@example.org" }).answer()
    });
    let mut statuses: Vec<u16> =
        futures_util::future::join_all(requests).await.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [&[202][..], &[409; 19]].concat());
    assert_eq!(world.count("SELECT count(*) FROM tasks").await, 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_user_is_said_all_at_once() {
    let world = World::new().await;
    let producer = world.producer().await;
    let wrong = json!({ "name": " ", "email": "ada", "password": "short" });
    let fields = producer.post("/users", &wrong).answer().await.expect(422);
    insta::assert_json_snapshot!("wrong_user_fields", fields.problem());
    let nothing = producer.post("/users", &json!({})).answer().await.expect(422);
    insta::assert_json_snapshot!("missing_user_fields", nothing.problem());
    let mut long = user("ada@example.org");
    long["password"] = "x".repeat(129).into();
    producer.post("/users", &long).answer().await.expect(422);
    let id = uuid::Uuid::nil();
    let nothing = producer.put(&format!("/users/{id}"), &json!({})).answer().await.expect(422);
    insta::assert_json_snapshot!("nothing_to_change", nothing.problem());
}

#[tokio::test]
async fn a_user_is_changed_and_deleted_and_each_event_has_the_whole_state() {
    let world = World::new().await;
    let producer = world.producer().await;
    let created = producer.create_user("ada@example.org").answer().await.expect(202).json();
    let path = format!("/users/{}", created["user_id"].as_str().unwrap());
    producer.put(&path, &json!({ "name": "Ada King" })).answer().await.expect(202);
    let changed = producer.get(&path).answer().await.expect(200);
    assert_eq!((changed.header("etag"), &changed.json()["name"]), ("\"2\"", &json!("Ada King")));
    producer.delete(&path).answer().await.expect(202);
    for request in [producer.get(&path), producer.delete(&path), producer.put(&path, &json!({ "name": "A" }))] {
        request.answer().await.expect(404);
    }
    insta::assert_json_snapshot!("an_unknown_user", producer.get(&path).answer().await.problem());

    let events = world.take("user_tasks", 3).await;
    let told: Vec<_> = events.iter().map(|event| (event.routing_key.as_str(), &event.headers["x-version"])).collect();
    assert_eq!(told, [("user.created", &json!(1)), ("user.updated", &json!(2)), ("user.deleted", &json!(3))]);
    assert_eq!(events[1].json()["name"], "Ada King");
    assert_eq!(events[1].json()["email"], "ada@example.org");
    // Nothing of the person is left, and the address is free again.
    let erased = "SELECT count(*) FROM users WHERE num_nulls(name, email, email_key, password_hash) = 4";
    assert_eq!(world.count(erased).await, 1);
    producer.create_user("ada@example.org").answer().await.expect(202);
}

#[tokio::test]
async fn a_change_meant_for_another_version_is_refused() {
    let world = World::new().await;
    let producer = world.producer().await;
    let created = producer.create_user("ada@example.org").answer().await.expect(202).json();
    let path = format!("/users/{}", created["user_id"].as_str().unwrap());
    let change = json!({ "name": "Ada King" });
    producer.put(&path, &change).header("if-match", "\"1\"").answer().await.expect(202);
    let stale = producer.put(&path, &change).header("if-match", "\"1\"").answer().await.expect(412);
    insta::assert_json_snapshot!("a_stale_version", stale.problem());
    producer.delete(&path).header("if-match", "\"1\"").answer().await.expect(412);
    producer.delete(&path).header("if-match", "\"1\", \"2\"").answer().await.expect(202);
}

#[tokio::test]
async fn a_change_to_a_taken_address_fails_alone() {
    let world = World::new().await;
    let producer = world.producer().await;
    let mut paths = Vec::new();
    for name in ["ada", "bob", "cid"] {
        let created = producer.create_user(&format!("{name}@example.org")).answer().await.expect(202).json();
        paths.push(format!("/users/{}", created["user_id"].as_str().unwrap()));
    }
    let changes =
        [json!({ "email": "new@example.org" }), json!({ "email": "CID@example.org" }), json!({ "name": "C" })];
    let requests = paths.iter().zip(&changes).map(|(path, change)| producer.put(path, change).answer());
    let statuses: Vec<u16> =
        futures_util::future::join_all(requests).await.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [202, 409, 202]);
}

#[tokio::test]
async fn users_are_listed_page_by_page() {
    let world = World::new().await;
    let producer = world.producer().await;
    for number in 0..5 {
        producer.create_user(&format!("u{number}@example.org")).answer().await.expect(202);
    }
    let (mut seen, mut path) = (Vec::new(), "/users?limit=2".to_owned());
    loop {
        let page = producer.get(&path).answer().await.expect(200).json();
        seen.extend(page["users"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/users?limit=2&after={next}");
    }
    assert_eq!(seen, (0..5).map(|number| format!("u{number}@example.org")).collect::<Vec<_>>());
    for limit in ["0", "1001"] {
        producer.get(&format!("/users?limit={limit}")).answer().await.expect(422);
    }
}
