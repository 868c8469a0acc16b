//! From login to logout.

use futures_util::future::join_all;
use redis::AsyncCommands;
use serde_json::json;
use uuid::Uuid;

use super::{PASSWORD, User, credentials};
use crate::support::{Ask, World, user};

#[tokio::test]
async fn a_user_registers_logs_in_and_is_known() {
    let world = World::new().await;
    let producer = world.producer().await;
    let registered = producer.post("/auth/register", &user("Ada@example.org")).answer().await.expect(202);
    let answered = producer.post("/auth/login", &credentials("ADA@example.org")).answer().await.expect(200);
    assert_eq!(answered.header("cache-control"), "no-store");
    let answer = answered.json();
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_eq!(answer["refresh_expires_in"], 2_592_000);
    let ada = User::of(&answered);
    assert_eq!(ada.id, registered.json()["user_id"]);

    let me = producer.get("/auth/me").bearer_auth(&ada.access).answer().await.expect(200).json();
    assert_eq!((&me["email"], &me["roles"]), (&json!("Ada@example.org"), &json!(["user"])));
    let session = world.user_session(&ada.id).await;
    assert_eq!(
        session,
        json!({ "user_id": ada.id, "name": "Ada Lovelace", "login_time": me["session"]["started_at"], "status": "active" })
    );
    let ttl: i64 = world.redis.connection().await.ttl(format!("user_session:{}", ada.id)).await.unwrap();
    assert!((3_590..=3_600).contains(&ttl), "{ttl}");
    // The task of the registration is the user's.
    producer.get(registered.header("location")).bearer_auth(&ada.access).answer().await.expect(200);
    producer.get("/auth/me").answer().await.expect(401);
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_are_answered_alike() {
    let world = World::new().await;
    let producer = world.producer().await;
    producer.create_user("ada@example.org").answer().await.expect(202);
    let wrong = producer.post("/auth/login", &json!({ "email": "ada@example.org", "password": "wrong horse" }));
    let unknown = producer.post("/auth/login", &json!({ "email": "eva@example.org", "password": PASSWORD }));
    let (wrong, unknown) = (wrong.answer().await.expect(401), unknown.answer().await.expect(401));
    assert_eq!(wrong.problem(), unknown.problem());
    assert_eq!(wrong.header("www-authenticate"), "Bearer");
    insta::assert_json_snapshot!("a_failed_login", wrong.problem());
    for body in [json!({}), json!({ "email": "ada", "password": "x".repeat(129) })] {
        producer.post("/auth/login", &body).answer().await.expect(422);
    }
    assert_eq!(world.count("SELECT count(*) FROM sessions").await, 0);
}

#[tokio::test]
async fn a_refresh_token_is_good_for_one_time_and_its_reuse_ends_the_session() {
    let world = World::new().await;
    let (producer, other) = (world.producer().await, world.producer().await);
    let first = producer.new_user("ada@example.org").await;
    let second = User::of(&other.refresh(&first.refresh).await.expect(200));
    let third = User::of(&producer.refresh(&second.refresh).await.expect(200));
    for access in [&first.access, &third.access] {
        producer.get("/auth/me").bearer_auth(access).answer().await.expect(200);
    }
    let stored: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT hash FROM refresh_tokens").fetch_all(world.postgres.pool()).await.unwrap();
    assert_eq!(stored.len(), 3);
    assert!(stored.iter().all(|hash| hash.len() == 32));

    let reused = producer.refresh(&second.refresh).await.expect(401);
    insta::assert_json_snapshot!("a_reused_refresh_token", reused.problem());
    assert_eq!(producer.refresh(&third.refresh).await.expect(401).problem(), reused.problem());
    producer.get("/auth/me").bearer_auth(&third.access).answer().await.expect(401);
    other.refuses(&third.access).await;
    assert_eq!(world.user_session(&first.id).await["status"], "ended");
    // Another session of the same user is none of it.
    producer.log_in("ada@example.org").await;
}

#[tokio::test]
async fn of_many_refreshes_at_once_one_succeeds() {
    let world = World::new().await;
    let (one, other) = (world.producer().await, world.producer().await);
    let ada = one.new_user("ada@example.org").await;
    let answers =
        join_all((0..10).map(|number| if number % 2 == 0 { &one } else { &other }.refresh(&ada.refresh))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [&[200][..], &[401; 9]].concat());
}

#[tokio::test]
async fn a_refresh_token_that_is_unknown_expired_or_too_long_is_worthless() {
    let world = World::new().await;
    let producer = world.producer().await;
    let ada = producer.new_user("ada@example.org").await;
    producer.refresh("unknown").await.expect(401);
    producer.refresh(&"x".repeat(129)).await.expect(422);
    sqlx::query("UPDATE refresh_tokens SET expires_at = now()").execute(world.postgres.pool()).await.unwrap();
    producer.refresh(&ada.refresh).await.expect(401);
    // It was no reuse.
    producer.get("/auth/me").bearer_auth(&ada.access).answer().await.expect(200);
}

#[tokio::test]
async fn a_logout_holds_everywhere_at_once_and_may_be_repeated() {
    let world = World::new().await;
    let (producer, other) = (world.producer().await, world.producer().await);
    let ada = producer.new_user("ada@example.org").await;
    let path = format!("/users/{}", ada.id);
    other.get(&path).bearer_auth(&ada.access).answer().await.expect(200);
    for _ in 0..2 {
        producer.post("/auth/logout", &json!({})).bearer_auth(&ada.access).answer().await.expect(204);
    }
    let ended: bool =
        world.redis.connection().await.exists(format!("ended_session:{}", session(&ada.access))).await.unwrap();
    assert!(ended);
    other.refuses(&ada.access).await;
    producer.refresh(&ada.refresh).await.expect(401);
    assert_eq!(world.user_session(&ada.id).await["status"], "ended");
}

#[tokio::test]
async fn a_logout_by_refresh_token_needs_no_access_token() {
    let world = World::new().await;
    let producer = world.producer().await;
    let old = producer.new_user("ada@example.org").await;
    let new = producer.log_in("ada@example.org").await;
    for _ in 0..2 {
        producer.post("/auth/logout", &json!({ "refresh_token": old.refresh })).answer().await.expect(204);
    }
    producer.post("/auth/logout", &json!({ "refresh_token": "unknown" })).answer().await.expect(204);
    producer.post("/auth/logout", &json!({})).answer().await.expect(422);
    producer.refuses(&old.access).await;
    // The newer session goes on, and is the one that is known.
    producer.get("/auth/me").bearer_auth(&new.access).answer().await.expect(200);
    assert_eq!(world.user_session(&new.id).await["status"], "active");
}

#[tokio::test]
async fn a_deleted_user_is_logged_out_everywhere() {
    let world = World::new().await;
    let (producer, other) = (world.producer().await, world.producer().await);
    let ada = producer.new_user("ada@example.org").await;
    producer.delete(&format!("/users/{}", ada.id)).bearer_auth(&ada.access).answer().await.expect(202);
    other.refuses(&ada.access).await;
    other.refresh(&ada.refresh).await.expect(401);
    other.post("/auth/login", &credentials("ada@example.org")).answer().await.expect(401);
}

#[tokio::test]
async fn what_nobody_can_go_on_with_is_swept() {
    let world = World::new().await;
    let producer = world.producer().await;
    let ada = producer.new_user("ada@example.org").await;
    let eva = producer.new_user("eva@example.org").await;
    sqlx::query("UPDATE sessions SET expires_at = now() WHERE user_id = $1")
        .bind(ada.id.parse::<Uuid>().unwrap())
        .execute(world.postgres.pool())
        .await
        .unwrap();
    let _sweeping = world.producer().await;
    testkit::eventually("the session is gone", async || {
        (world.count("SELECT count(*) FROM sessions").await == 1).then_some(())
    })
    .await;
    assert_eq!(world.count("SELECT count(*) FROM refresh_tokens").await, 1);
    producer.refresh(&ada.refresh).await.expect(401);
    producer.refresh(&eva.refresh).await.expect(200);
}

/// The session that a token names.
fn session(access: &str) -> String {
    let claims = jsonwebtoken::dangerous::insecure_decode_claims::<serde_json::Value>(access).expect("a token");
    claims["sid"].as_str().expect("a text").to_owned()
}
