//! Tokens that are not what they seem.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use service::auth::Role;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::stub::Stub;
use crate::support::{Ask, Gateway, auth, user};

fn claims() -> Value {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    json!({
        "iss": "warren", "aud": "warren", "iat": now, "nbf": now, "exp": now + 900,
        "sub": Uuid::now_v7(), "sid": Uuid::now_v7(), "jti": Uuid::now_v7(), "roles": [Role::User],
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn signed(header: &Header, claims: &Value) -> String {
    // The provider of the algorithm is the one that services have.
    let _ = user();
    let key = EncodingKey::from_secret(auth().jwt_secret.expose_secret().as_bytes());
    encode(header, claims, &key).expect("HS256 is provided")
}

#[tokio::test]
async fn only_a_token_in_order_is_accepted() {
    let producer = Stub::echo("producer").await;
    let gateway = Gateway::of(&[("producer", &producer), ("products", &producer)], &[]).await;
    let hs256 = Header::new(Algorithm::HS256);
    let good = signed(&hs256, &claims());
    gateway.get("/api/users").bearer_auth(&good).answer().await.expect(200);

    let now = OffsetDateTime::now_utc().unix_timestamp();
    let (payload, signature) = (good.split('.').nth(1).unwrap(), good.split('.').nth(2).unwrap());
    let mut absent = claims();
    absent.as_object_mut().unwrap().remove("sid");
    let bad = [
        // {"alg":"none","typ":"JWT"} and {"alg":"HS512","typ":"JWT"}
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}."),
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.{signature}"),
        format!("eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.{payload}.{signature}"),
        signed(&Header { kid: Some("../../dev/null".to_owned()), ..hs256.clone() }, &claims()),
        signed(&hs256, &with("exp", (now + 900).to_string().into())),
        signed(&hs256, &with("nbf", now.to_string().into())),
        signed(&hs256, &with("exp", (now - 60).into())),
        signed(&hs256, &with("nbf", (now + 60).into())),
        signed(&hs256, &with("iss", "elsewhere".into())),
        signed(&hs256, &with("aud", "elsewhere".into())),
        signed(&hs256, &with("sub", "me".into())),
        signed(&hs256, &with("roles", "admin".into())),
        signed(&hs256, &with("roles", json!(["root"]))),
        signed(&hs256, &absent),
        format!("{good}x"),
        good.replace('.', ""),
        "x".repeat(20_000),
        String::new(),
    ];
    let seen = producer.seen().len();
    for token in &bad {
        for path in ["/api/users", "/api/products", "/api/user/1/dashboard"] {
            let refused = gateway.get(path).bearer_auth(token).answer().await;
            assert!(refused.header("www-authenticate").starts_with("Bearer"), "{token}: {}", refused.body);
            refused.refused(401);
        }
    }
    for header in ["Basic dTpw", "Bearer", "bearer", "token"] {
        gateway.get("/api/users").header("authorization", header).answer().await.refused(401);
    }
    let twice = gateway.get("/api/users").bearer_auth(&good).header("authorization", "Bearer x");
    twice.answer().await.refused(401);
    assert_eq!(producer.seen().len(), seen, "a request with a bad token has reached a service");

    // Where tokens are given an old one must not be in the way; who is asked about it is the producer.
    let old = signed(&hs256, &with("exp", (now - 60).into()));
    gateway.ask("POST", "/auth/refresh").bearer_auth(old).body("{}").answer().await.expect(200);
}

#[tokio::test]
async fn a_session_that_has_ended_is_refused_at_once() {
    let (redis, producer) = (testkit::redis().await, Stub::echo("producer").await);
    let urls = crate::support::urls(&[("producer", &producer)]);
    let gateway = Gateway::start_with_redis(redis.url(), &[&urls]).await;
    let user = user();
    gateway.get("/api/users").by(&user).answer().await.expect(200);
    let key = contracts::sessions::ended_session_key(user.session);
    let _: () = redis::cmd("SET").arg(key).arg("1").query_async(&mut redis.connection().await).await.unwrap();
    gateway.get("/api/users").by(&user).answer().await.refused(401);
}
