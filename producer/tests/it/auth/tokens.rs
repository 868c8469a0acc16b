//! Access tokens that are wrong are refused by every kind of route.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use uuid::Uuid;

use super::credentials;
use crate::support::{Ask, Producer, World, record, user};

const SECRET: &str = "warren-development-secret-change-me!";

/// A token as ours, except for what `change` makes of it.
fn forged(change: impl FnOnce(&mut Header, &mut Value)) -> String {
    let now = get_current_timestamp();
    let mut claims = json!({
        "iss": "warren", "aud": "warren", "exp": now + 60, "iat": now, "nbf": now, "sub": Uuid::nil(),
        "roles": ["admin"], "sid": Uuid::nil(), "jti": Uuid::nil(),
    });
    let mut header = Header::new(Algorithm::HS256);
    change(&mut header, &mut claims);
    encode(&header, &claims, &EncodingKey::from_secret(SECRET.as_bytes())).expect("plain data")
}

fn with(name: &'static str, value: Value) -> String {
    forged(move |_, claims| {
        claims[name] = value;
    })
}

fn wrong() -> Vec<(&'static str, String)> {
    let now = get_current_timestamp();
    let right = forged(|_, _| ());
    let parts: Vec<&str> = right.split('.').collect();
    let (claims, signature) = (parts[1], parts[2]);
    vec![
        // {"alg":"none"}
        ("none", format!("eyJhbGciOiJub25lIn0.{claims}.")),
        // {"typ":"JWT","alg":"HS512"}
        ("another algorithm", format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzUxMiJ9.{claims}.{signature}")),
        ("a key id", forged(|header, _| header.kid = Some("1".to_owned()))),
        ("nbf as a string", with("nbf", json!(now.to_string()))),
        ("exp as a string", with("exp", json!((now + 60).to_string()))),
        ("expired", with("exp", json!(now - 6))),
        ("another issuer", with("iss", json!("somebody"))),
        ("another audience", with("aud", json!("somebody"))),
        ("no roles", forged(|_, claims| drop(claims.as_object_mut().expect("an object").remove("roles")))),
        ("no exp", forged(|_, claims| drop(claims.as_object_mut().expect("an object").remove("exp")))),
        ("another signature", format!("{}.{claims}.{}", parts[0], "A".repeat(43))),
        ("garbage", "not a token".to_owned()),
    ]
}

fn every_kind_of_route(producer: &Producer) -> Vec<RequestBuilder> {
    let (id, any) = (Uuid::nil(), json!({}));
    vec![
        producer.get("/"),
        producer.insert("A1"),
        producer.post("/insert_record", &record("A1")),
        producer.get("/records"),
        producer.get("/delete_record?SRN=A1"),
        producer.delete("/records/A1"),
        producer.get("/health_check?message=a"),
        producer.post("/users", &user("ada@example.org")),
        producer.get("/users"),
        producer.get(&format!("/users/{id}")),
        producer.put(&format!("/users/{id}"), &any),
        producer.put(&format!("/users/{id}/roles"), &any),
        producer.delete(&format!("/users/{id}")),
        producer.get("/tasks"),
        producer.get(&format!("/tasks/{id}")),
        producer.get(&format!("/tasks/{id}/events")),
        producer.post("/auth/logout", &any),
        producer.get("/auth/me"),
    ]
}

#[tokio::test]
async fn a_wrong_token_is_refused_by_every_kind_of_route() {
    let world = World::new().await;
    let producer = world.producer().await;
    for (name, token) in wrong() {
        for request in every_kind_of_route(&producer) {
            let refused = request.bearer_auth(&token).answer().await;
            assert_eq!(refused.status, 401, "{name}: {}", refused.body);
            assert_eq!(refused.header("www-authenticate"), "Bearer error=\"invalid_token\"", "{name}");
            assert!(!refused.body.contains(&token), "{name}");
        }
    }
    insta::assert_json_snapshot!("a_wrong_token", producer.get("/").bearer_auth("x").answer().await.problem());
    assert_eq!(world.count("SELECT count(*) FROM tasks").await, 0);
    // What was wrong was the change: as it is such a token is an admin's.
    producer.get("/users").bearer_auth(forged(|_, _| ())).answer().await.expect(200);
}

#[tokio::test]
async fn an_old_token_that_is_sent_along_does_not_keep_a_client_from_a_new_one() {
    let world = World::new().await;
    let producer = world.producer().await;
    let expired = with("exp", json!(get_current_timestamp() - 6));
    producer.post("/auth/register", &user("ada@example.org")).bearer_auth(&expired).answer().await.expect(202);
    let login = producer.post("/auth/login", &credentials("ada@example.org")).bearer_auth(&expired).answer().await;
    let refresh = json!({ "refresh_token": login.expect(200).json()["refresh_token"] });
    producer.post("/auth/refresh", &refresh).bearer_auth(&expired).answer().await.expect(200);
}
