//! A user sees and changes what is the user's own, an admin all.

use serde_json::json;

use crate::support::{Ask, World};

#[tokio::test]
async fn a_user_has_the_own_and_an_admin_all() {
    let world = World::new().await;
    let (producer, admin) = world.producer_and_admin().await;
    let (ada, eva) = (producer.new_user("ada@example.org").await, producer.new_user("eva@example.org").await);
    let path = format!("/users/{}", ada.id);
    let change = json!({ "name": "Ada King" });
    let forbidden = producer.get(&path).bearer_auth(&eva.access).answer().await.expect(403);
    insta::assert_json_snapshot!("another_user", forbidden.problem());
    producer.put(&path, &change).bearer_auth(&eva.access).answer().await.expect(403);
    producer.delete(&path).bearer_auth(&eva.access).answer().await.expect(403);
    producer.get("/users").bearer_auth(&eva.access).answer().await.expect(403);
    // Whom a request says it is from, without a token, makes no difference.
    producer.get(&path).bearer_auth(&eva.access).header("x-user-id", &ada.id).answer().await.expect(403);
    for user in [&ada, &admin] {
        producer.get(&path).bearer_auth(&user.access).answer().await.expect(200);
        producer.put(&path, &change).bearer_auth(&user.access).answer().await.expect(202);
    }
    producer.get("/users").bearer_auth(&admin.access).answer().await.expect(200);
    // Without a token, which only development lets in, all is as it was.
    producer.get("/users").answer().await.expect(200);
    producer.put(&path, &change).answer().await.expect(202);
    producer.delete(&path).bearer_auth(&admin.access).answer().await.expect(202);
}

#[tokio::test]
async fn tasks_are_seen_by_who_asked_for_them() {
    let world = World::new().await;
    let (producer, admin) = world.producer_and_admin().await;
    let (ada, eva) = (producer.new_user("ada@example.org").await, producer.new_user("eva@example.org").await);
    let task = producer.insert("A1").bearer_auth(&ada.access).answer().await.expect(202).task();
    let nobodys = producer.insert("A2").answer().await.expect(202).task();
    for path in [format!("/tasks/{task}"), format!("/tasks/{task}/events"), format!("/tasks/{nobodys}")] {
        producer.get(&path).bearer_auth(&eva.access).answer().await.expect(403);
    }
    producer.get(&format!("/tasks/{task}")).bearer_auth(&ada.access).answer().await.expect(200);
    producer.get(&format!("/tasks/{nobodys}")).bearer_auth(&admin.access).answer().await.expect(200);
    let subjects = async |path: &str, access: &str| -> Vec<String> {
        let page = producer.get(path).bearer_auth(access).answer().await.expect(200).json();
        let tasks = page["tasks"].as_array().unwrap().clone();
        tasks.iter().map(|task| task["subject"].as_str().unwrap().to_owned()).collect()
    };
    let registration = format!("user {}", ada.id);
    assert_eq!(subjects("/tasks", &ada.access).await, ["record A1", &registration]);
    assert_eq!(subjects("/tasks?limit=1", &ada.access).await, ["record A1"]);
    assert_eq!(subjects(&format!("/tasks?after={task}"), &ada.access).await, [registration]);
    assert_eq!(subjects("/tasks", &eva.access).await, [format!("user {}", eva.id)]);
    assert_eq!(subjects("/tasks", &admin.access).await.len(), 5);
    producer.task_is(&task, "published").await;
    assert_eq!(subjects("/tasks?state=published", &ada.access).await[0], "record A1");
    assert!(subjects("/tasks?state=done", &ada.access).await.is_empty());
    assert_eq!(subjects("/tasks?state=failed", &ada.access).await.len(), 0);
}

#[tokio::test]
async fn another_users_idempotency_key_never_gives_their_answer() {
    let world = World::new().await;
    let producer = world.producer().await;
    let (ada, eva) = (producer.new_user("ada@example.org").await, producer.new_user("eva@example.org").await);
    let write = |srn: &str| producer.insert(srn).header("idempotency-key", "k");
    let adas = write("A1").bearer_auth(&ada.access).answer().await.expect(202).task();
    assert_eq!(write("A1").bearer_auth(&ada.access).answer().await.expect(202).task(), adas);
    // For Eva it is a key of her own: neither Ada's answer, nor a word about Ada's request.
    write("A1").bearer_auth(&eva.access).answer().await.expect(409);
    let evas = write("E1").bearer_auth(&eva.access).answer().await.expect(202).task();
    let nobodys = write("N1").answer().await.expect(202).task();
    assert!(adas != evas && evas != nobodys && adas != nobodys);
    write("E1").bearer_auth(&ada.access).answer().await.expect(422);
    // Also in a session that is new.
    let ada = producer.log_in("ada@example.org").await;
    assert_eq!(write("A1").bearer_auth(&ada.access).answer().await.expect(202).task(), adas);
}

#[tokio::test]
async fn only_an_admin_sets_roles_and_they_hold_from_the_next_refresh_on() {
    let world = World::new().await;
    let (producer, admin) = world.producer_and_admin().await;
    let ada = producer.new_user("ada@example.org").await;
    let path = format!("/users/{}/roles", ada.id);
    let roles = json!({ "roles": ["admin", "user", "admin"] });
    producer.put(&path, &roles).answer().await.expect(401);
    producer.put(&path, &roles).bearer_auth(&ada.access).answer().await.expect(403);
    let set = producer.put(&path, &roles).bearer_auth(&admin.access).answer().await.expect(200);
    assert_eq!(set.json(), json!({ "user_id": ada.id, "roles": ["admin", "user"] }));
    for wrong in [json!({ "roles": [] }), json!({ "roles": ["root"] }), json!({})] {
        producer.put(&path, &wrong).bearer_auth(&admin.access).answer().await.expect(422);
    }
    let nobody = format!("/users/{}/roles", uuid::Uuid::nil());
    producer.put(&nobody, &roles).bearer_auth(&admin.access).answer().await.expect(404);

    producer.get("/users").bearer_auth(&ada.access).answer().await.expect(403);
    let refreshed = super::User::of(&producer.refresh(&ada.refresh).await.expect(200));
    producer.get("/users").bearer_auth(&refreshed.access).answer().await.expect(200);
}
