//! A store that is down is not the message's fault: consuming pauses, and goes on when it is back.

use messaging::Outgoing;
use serde_json::json;
use testkit::{Proxy, eventually, proxy};
use uuid::Uuid;

use super::support::{Servers, Site, created, insert, versioned};
use contracts::messages::StoreMessage;

/// Cuts the store off, publishes, sees the pause, and sees all done when the store is back.
pub(crate) async fn outage(
    store_argument: &'static str,
    role: &'static str,
    silent: bool,
    messages: Vec<Outgoing>,
) -> (Site, Proxy) {
    let servers = Servers::new().await;
    let arguments = servers.arguments();
    let (_, url) =
        arguments.into_iter().find(|(name, _)| *name == store_argument).expect("the consumer has such an argument");
    let proxy = proxy(&url).await;
    let site = servers.with(store_argument, proxy.url_for(&url)).start(&[role]).await;
    if silent {
        proxy.blackhole().await;
    } else {
        proxy.cut().await;
    }
    let count = messages.len();
    site.publish(messages).await;

    eventually("the pause is seen in /health", || async {
        let (status, health) = site.json("/health").await;
        let consumer = &health["dependencies"][role];
        (status == 503 && consumer["status"] == "down")
            .then(|| consumer["last_error"].as_str().expect("what is down has an error").to_owned())
    })
    .await;
    assert_eq!(site.get("/ready").await.status(), 200, "the broker has the consumer all the same");
    site.holds(role, count as u64).await;

    proxy.restore().await;
    let reports = site.reports(count).await;
    for report in &reports {
        assert_eq!((&report["state"], &report["attempt"]), (&json!("done"), &json!(1)), "an attempt was spent");
    }
    assert_eq!(reports.len(), count);
    for queue in [format!("{role}.dead"), "retry.1s".to_owned()] {
        assert_eq!(site.servers.rabbit.queue_depth(&queue).await, 0, "{queue}");
    }
    eventually("all is well again", || async { site.get("/health").await.status().is_success().then_some(()) }).await;
    (site, proxy)
}

fn inserts() -> Vec<Outgoing> {
    (0..5).map(|i| insert(&format!("S{i}"), "Ada", 1)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_mariadb_is_down_consuming_pauses_and_no_attempt_is_spent() {
    let (site, _proxy) = outage("--mysql-url", "insert_record", false, inserts()).await;
    site.found("/records/S4").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_mariadb_does_not_answer_consuming_pauses_and_no_attempt_is_spent() {
    let (site, _proxy) = outage("--mysql-url", "insert_record", true, inserts()).await;
    site.found("/records/S4").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_mongodb_is_down_consuming_pauses_and_no_attempt_is_spent() {
    let messages = (0..5).map(|i| versioned(&StoreMessage { message: format!("text {i}") }, 1)).collect();
    let (site, _proxy) = outage("--mongodb-url", "tasks", false, messages).await;
    assert_eq!(site.found("/messages").await["messages"].as_array().unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_down_consuming_pauses_and_no_attempt_is_spent() {
    let ids: Vec<_> = (0..5).map(|_| Uuid::now_v7()).collect();
    let messages = ids.iter().map(|id| versioned(&created(*id, "Ada"), 1)).collect();
    let (site, _proxy) = outage("--redis-url", "user_sessions", false, messages).await;
    let response = site.get(&format!("/users/{}", ids[4])).await;
    assert_eq!(response.headers()["x-cache"], "hit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_whose_store_never_answers_at_the_start_gives_up() {
    let servers = Servers::new().await.with("--redis-url", "redis://127.0.0.1:1").with("--retry-attempts", 2);
    let error = consumer::stores::Stores::connect(&servers.config(&["user_sessions"])).await.unwrap_err();
    assert!(error.to_string().contains("REDIS_URL"), "{error}");
}
