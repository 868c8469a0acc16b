//! Users: from the events into MongoDB and Redis, and read from there.

use redis::AsyncCommands;
use serde_json::json;
use testkit::{eventually, proxy};
use uuid::Uuid;

use super::support::{Servers, Site, created, deleted, updated, versioned};

async fn cache_of(site: &Site, id: Uuid) -> Option<String> {
    let response = site.get(&format!("/users/{id}")).await;
    let cache = response.headers().get("x-cache")?;
    Some(cache.to_str().expect("it is a word").to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_created_user_has_a_session_and_a_profile_and_can_be_read() {
    let site = Servers::new().await.start(&["user_tasks", "user_sessions"]).await;
    let id = Uuid::now_v7();
    site.publish([versioned(&created(id, "Ada / \"Lovelace\" ✓"), 1)]).await;
    let steps = site.reports(2).await;
    assert_eq!(steps[0]["task_id"], steps[1]["task_id"]);

    let user = site.found(&format!("/users/{id}")).await;
    assert_eq!(user["name"], "Ada / \"Lovelace\" ✓");
    assert_eq!(site.found("/users").await, json!({ "users": [user], "next": null }));
    assert_eq!(cache_of(&site, id).await.as_deref(), Some("hit"));
    let mut redis = site.servers.redis.connection().await;
    let ttl: i64 = redis.ttl(format!("user_session:{id}")).await.unwrap();
    assert!((3500..=3600).contains(&ttl), "{ttl}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_renames_the_session_without_making_it_live_longer() {
    let site = Servers::new().await.start(&["user_sessions"]).await;
    let id = Uuid::now_v7();
    site.publish([versioned(&created(id, "Ada"), 1)]).await;
    site.reports(1).await;
    let mut redis = site.servers.redis.connection().await;
    let key = format!("user_session:{id}");
    let _: () = redis.expire(&key, 100).await.unwrap();
    site.publish([versioned(&updated(id, "Eva", 1), 2)]).await;
    site.reports(1).await;
    let session: String = redis.get(&key).await.unwrap();
    assert!(session.contains("Eva"), "{session}");
    let ttl: i64 = redis.ttl(&key).await.unwrap();
    assert!((1..=100).contains(&ttl), "{ttl}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_has_ended_does_not_begin_again_by_a_redelivery() {
    let site = Servers::new().await.start(&["user_sessions"]).await;
    let id = Uuid::now_v7();
    let creation = versioned(&created(id, "Ada"), 1);
    site.publish([creation.clone()]).await;
    site.reports(1).await;
    let mut redis = site.servers.redis.connection().await;
    let _: () = redis.del(format!("user_session:{id}")).await.unwrap();
    site.publish([versioned(&updated(id, "Eva", 1), 2), creation]).await;
    site.reports(2).await;
    let exists: bool = redis.exists(format!("user_session:{id}")).await.unwrap();
    assert!(!exists);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_a_profile_that_has_expired_does_not_come_back() {
    let site = Servers::new().await.start(&["user_tasks", "user_sessions"]).await;
    let id = Uuid::now_v7();
    let creation = versioned(&created(id, "Ada"), 1);
    site.publish([creation.clone(), versioned(&updated(id, "Eva", 1), 2)]).await;
    site.reports(4).await;
    let mut redis = site.servers.redis.connection().await;
    // As time does.
    let _: () = redis.del(&[format!("user:{id}"), format!("user_session:{id}")]).await.unwrap();
    site.publish([creation]).await;
    site.reports(2).await;
    assert_eq!(cache_of(&site, id).await.as_deref(), Some("miss"));
    assert_eq!(site.found(&format!("/users/{id}")).await["name"], "Eva");
    let exists: bool = redis.exists(format!("user_session:{id}")).await.unwrap();
    assert!(!exists, "the session began again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cache_lost_is_read_from_mongodb_and_put_back() {
    let site = Servers::new().await.start(&["user_tasks", "user_sessions"]).await;
    let id = Uuid::now_v7();
    site.publish([versioned(&created(id, "Ada"), 1), versioned(&updated(id, "Eva", 1), 2)]).await;
    site.reports(4).await;
    let hit = site.found(&format!("/users/{id}")).await;
    let mut redis = site.servers.redis.connection().await;
    let _: () = redis.del(format!("user:{id}")).await.unwrap();
    let response = site.get(&format!("/users/{id}")).await;
    assert_eq!(response.headers()["x-cache"], "miss");
    let miss: serde_json::Value = response.json().await.unwrap();
    assert_eq!(miss, hit);
    assert_eq!(cache_of(&site, id).await.as_deref(), Some("hit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_refilled_from_behind_does_not_hide_what_it_knew_better() {
    let servers = Servers::new().await;
    let stores = servers.stores().await;
    let id = Uuid::now_v7();
    let profiles = stores.profiles().unwrap();
    let gone = contracts::users::UserEvent::Deleted(deleted(id));
    profiles.apply(&[(&gone, 2)]).await.unwrap();
    let old = consumer::stores::users::User::new(&super::support::user(id, "Ada", 0), 1);
    profiles.refill(&old).await.unwrap();
    assert_eq!(profiles.get(id).await.unwrap(), consumer::stores::profiles::Lookup::Deleted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_user_is_gone_everywhere_and_an_older_event_does_not_bring_it_back() {
    let site = Servers::new().await.start(&["user_tasks", "user_sessions"]).await;
    let id = Uuid::now_v7();
    let path = format!("/users/{id}");
    site.publish([versioned(&created(id, "Ada"), 1)]).await;
    site.found(&path).await;
    site.publish([versioned(&deleted(id), 3)]).await;
    site.reports(4).await;
    site.publish([versioned(&updated(id, "Eva", 1), 2), versioned(&created(id, "Ada"), 1)]).await;
    site.reports(4).await;
    assert_eq!(site.json(&path).await.0, 404);
    assert_eq!(site.found("/users").await["users"], json!([]));
    let mut redis = site.servers.redis.connection().await;
    let session: bool = redis.exists(format!("user_session:{id}")).await.unwrap();
    assert!(!session);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_users_are_still_answered_from_mongodb() {
    let servers = Servers::new().await;
    let proxy = proxy(servers.redis.url()).await;
    let url = proxy.url_for(servers.redis.url());
    let site = servers.with("--redis-url", url).start(&["user_tasks", "user_sessions"]).await;
    let id = Uuid::now_v7();
    site.publish([versioned(&created(id, "Ada"), 1)]).await;
    site.reports(2).await;
    proxy.cut().await;
    assert_eq!(cache_of(&site, id).await.as_deref(), Some("miss"));
    proxy.restore().await;
    eventually("the cache is used again", || async {
        (cache_of(&site, id).await.as_deref() == Some("hit")).then_some(())
    })
    .await;
    proxy.blackhole().await;
    assert_eq!(cache_of(&site, id).await.as_deref(), Some("miss"));
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_listed_page_by_page() {
    let site = Servers::new().await.start(&["user_tasks"]).await;
    let mut ids: Vec<_> = (0..7).map(|_| Uuid::now_v7()).collect();
    ids.sort();
    site.publish(ids.iter().map(|id| versioned(&created(*id, "Ada"), 1))).await;
    site.reports(7).await;
    site.publish([versioned(&deleted(ids[1]), 2)]).await;
    site.reports(1).await;
    let (mut listed, mut path) = (Vec::new(), "/users?limit=2".to_owned());
    loop {
        let page = site.found(&path).await;
        listed
            .extend(page["users"].as_array().unwrap().iter().map(|user| user["user_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/users?limit=2&after={next}");
    }
    ids.remove(1);
    assert_eq!(listed, ids.iter().map(Uuid::to_string).collect::<Vec<_>>());
}
