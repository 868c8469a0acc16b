//! Who may read what, and sessions beside the users' events.

use std::time::Duration;

use contracts::sessions::{SessionStatus, UserSession, ended_session_key, user_session_key};
use redis::AsyncCommands;
use secrecy::ExposeSecret;
use service::auth::{Issuer, Role};
use testkit::{eventually, proxy};
use time::OffsetDateTime;
use uuid::Uuid;

use super::support::{Servers, Site, created, deleted, updated, versioned};

/// A token as the producer issues it.
pub(crate) fn token(site: &Site, user: Uuid, session: Uuid, roles: &[Role]) -> String {
    let issuer = Issuer::new(&site.servers.config(&[]).auth).expect("the secret is one");
    let roles = roles.iter().copied().collect();
    let issued = issuer.issue(user, session, &roles, Duration::from_secs(60)).expect("plain data");
    issued.token.expose_secret().to_owned()
}

async fn log_in(site: &Site, user: Uuid, status: SessionStatus) -> UserSession {
    let login_time = OffsetDateTime::from_unix_timestamp(1_800_000_000).expect("a time");
    let session = UserSession { user_id: user, name: "Ada".to_owned(), login_time, status };
    let mut redis = site.servers.redis.connection().await;
    let text = serde_json::to_string(&session).expect("plain data");
    let _: () = redis.set_ex(user_session_key(user), text, 100).await.expect("Redis answers");
    session
}

async fn session(site: &Site, user: Uuid) -> UserSession {
    let text: String = site.servers.redis.connection().await.get(user_session_key(user)).await.expect("Redis answers");
    serde_json::from_str(&text).expect("a session")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_reads_the_own_and_an_admin_all_and_a_wrong_token_nothing() {
    let site = Servers::new().await.start(&["user_tasks", "insert_record"]).await;
    let ada = Uuid::now_v7();
    site.publish([versioned(&created(ada, "Ada"), 1)]).await;
    let path = format!("/users/{ada}");
    site.found(&path).await;
    let session = Uuid::now_v7();
    let own = token(&site, ada, session, &[Role::User]);
    let others = token(&site, Uuid::now_v7(), Uuid::now_v7(), &[Role::User]);
    let admin = token(&site, Uuid::now_v7(), Uuid::now_v7(), &[Role::User, Role::Admin]);
    for (token, one, all, others) in [(&own, 200, 403, 200), (&others, 403, 403, 200), (&admin, 200, 200, 200)] {
        assert_eq!(site.status_with(&path, token).await, one);
        assert_eq!(site.status_with("/users", token).await, all);
        assert_eq!(site.status_with("/messages", token).await, others);
    }
    for path in [&path, "/users", "/records/A1", "/messages"] {
        for wrong in ["garbage", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.", &own[..own.len() - 2]] {
            assert_eq!(site.status_with(path, wrong).await, 401, "{path}");
        }
    }

    let mut redis = site.servers.redis.connection().await;
    let _: () = redis.set_ex(ended_session_key(session), "1", 60).await.unwrap();
    eventually("the session has ended", async || (site.status_with(&path, &own).await == 401).then_some(())).await;
    assert_eq!(site.status_with(&path, &admin).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_verified_while_redis_is_away() {
    let servers = Servers::new().await;
    let proxy = proxy(servers.redis.url()).await;
    let url = proxy.url_for(servers.redis.url());
    let site = servers.with("--redis-url", url).start(&["user_tasks"]).await;
    let (ada, session) = (Uuid::now_v7(), Uuid::now_v7());
    site.publish([versioned(&created(ada, "Ada"), 1)]).await;
    let path = format!("/users/{ada}");
    site.found(&path).await;
    let own = token(&site, ada, session, &[Role::User]);
    let mut redis = site.servers.redis.connection().await;
    let _: () = redis.set_ex(ended_session_key(session), "1", 60).await.unwrap();
    proxy.cut().await;
    assert_eq!(site.status_with(&path, &own).await, 200);
    assert_eq!(site.status_with(&path, "garbage").await, 401);
    proxy.restore().await;
    eventually("the session has ended", async || (site.status_with(&path, &own).await == 401).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn production_wants_a_token_but_for_health() {
    let secret = "a secret of production, long enough";
    let servers = Servers::new().await.with("--environment", "production").with("--jwt-secret", secret);
    let site = servers.start(&["user_tasks"]).await;
    for path in ["/users", "/messages", "/records/A1"] {
        let refused = site.get(path).await;
        assert_eq!(refused.status(), 401, "{path}");
        assert_eq!(refused.headers()["www-authenticate"], "Bearer", "{path}");
    }
    for path in ["/", "/health", "/metrics", "/api-docs/openapi.json"] {
        assert_eq!(site.get(path).await.status(), 200, "{path}");
    }
    let admin = token(&site, Uuid::now_v7(), Uuid::now_v7(), &[Role::Admin]);
    assert_eq!(site.status_with("/users", &admin).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_is_heard_of_after_a_login_leaves_the_session_as_it_is() {
    let site = Servers::new().await.start(&["user_sessions"]).await;
    for status in [SessionStatus::Active, SessionStatus::Ended] {
        let user = Uuid::now_v7();
        let known = log_in(&site, user, status).await;
        site.publish([versioned(&updated(user, "Eva", 1), 2), versioned(&created(user, "Ada"), 1)]).await;
        site.reports(2).await;
        assert_eq!(session(&site, user).await, UserSession { name: "Eva".to_owned(), ..known });
        let ttl: i64 = site.servers.redis.connection().await.ttl(user_session_key(user)).await.unwrap();
        assert!((1..=100).contains(&ttl), "{ttl}");
        site.publish([versioned(&deleted(user), 3)]).await;
        site.reports(1).await;
        let there: bool = site.servers.redis.connection().await.exists(user_session_key(user)).await.unwrap();
        assert!(!there);
    }
}
