//! A user as each store has it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::{Value, json};
use service::auth::Role;
use testkit::{eventually, proxy};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::identity::token;
use super::searching;
use super::support::{Servers, Site, created, deleted, updated, user, versioned};

const ROLES: [&str; 5] = ["user_tasks", "user_sessions", "user_preferences", "user_search", "welcome_messages"];

/// What the producer answers about any user, and the token that it was asked with last.
#[derive(Clone, Default)]
struct Producer(Arc<Mutex<(Option<Value>, Option<String>)>>);

impl Producer {
    async fn serve(&self) -> (SocketAddr, JoinHandle<()>) {
        let answers = self.clone();
        let one = async move |Path(_): Path<Uuid>, headers: HeaderMap| -> Response { answers.answer(&headers) };
        let router = Router::new().route("/users/{id}", get(one));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("it listens");
        (address, tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") }))
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let mut state = self.0.lock().expect("nothing panics while it holds this lock");
        state.1 = headers.get("authorization").map(|token| token.to_str().expect("a token is ASCII").to_owned());
        match &state.0 {
            Some(user) => Json(user.clone()).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn has(&self, id: Uuid, version: i64) {
        let user = user(id, "Ada", 0);
        let user = json!({ "user_id": id, "name": user.name, "email": user.email, "version": version });
        self.0.lock().expect("nothing panics while it holds this lock").0 = Some(user);
    }

    fn has_nothing(&self) {
        self.0.lock().expect("nothing panics while it holds this lock").0 = None;
    }

    fn asked_with(&self) -> Option<String> {
        self.0.lock().expect("nothing panics while it holds this lock").1.clone()
    }
}

async fn everywhere(site: &Site, id: Uuid) -> Value {
    let (status, body) = site.json(&format!("/users/{id}/everywhere")).await;
    assert_eq!(status, 200, "{body}");
    body
}

fn status<'a>(body: &'a Value, store: &str) -> &'a str {
    body["stores"][store]["status"].as_str().unwrap_or("missing")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sees_a_user_in_every_store_and_whether_they_agree() {
    let producer = Producer::default();
    let (address, serving) = producer.serve().await;
    let (servers, _search) = searching::servers().await;
    let servers = servers.with("--service-urls", format!("producer=http://{address}"));
    let site = servers.start(&ROLES).await;
    let id = Uuid::now_v7();
    producer.has(id, 2);
    site.publish([versioned(&created(id, "Eva"), 1), versioned(&updated(id, "Ada", 1), 2)]).await;
    site.reports(9).await;
    let body = everywhere(&site, id).await;
    assert_eq!((&body["user_id"], &body["agree"]), (&json!(id), &json!(true)), "{body}");
    for store in ["postgres", "mongodb", "redis_profile", "preferences", "search"] {
        assert_eq!((status(&body, store), &body["stores"][store]["version"]), ("present", &json!(2)), "{body}");
    }
    for store in ["redis_session", "welcome"] {
        assert_eq!((status(&body, store), &body["stores"][store]["version"]), ("present", &Value::Null), "{body}");
    }
    for store in ["postgres", "mongodb", "redis_profile", "redis_session", "search"] {
        assert_eq!(body["stores"][store]["data"]["name"], "Ada", "{store}: {body}");
    }
    assert_eq!(body["stores"]["mongodb"]["data"]["created_at"], "2023-11-14T22:13:20Z");
    assert_eq!(body["stores"]["preferences"]["data"]["preferences"], json!({}));
    assert_eq!(body["stores"]["welcome"]["data"]["subject"], "Welcome to Warren, Eva");

    producer.has(id, 3);
    assert_eq!(everywhere(&site, id).await["agree"], false, "the others have not heard of it yet");

    producer.has_nothing();
    site.publish([versioned(&deleted(id), 3)]).await;
    site.reports(5).await;
    let body = everywhere(&site, id).await;
    assert_eq!(body["agree"], true, "{body}");
    assert_eq!((status(&body, "postgres"), status(&body, "redis_session")), ("absent", "absent"));
    for store in ["mongodb", "redis_profile", "preferences", "search", "welcome"] {
        assert_eq!(body["stores"][store], json!({ "status": "deleted", "version": 3 }), "{store}: {body}");
    }
    let body = everywhere(&site, Uuid::now_v7()).await;
    assert_eq!((&body["agree"], status(&body, "mongodb")), (&json!(true), "absent"));
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_admin_sees_it_and_the_producer_is_asked_in_the_admins_name() {
    let producer = Producer::default();
    let (address, serving) = producer.serve().await;
    let servers = Servers::new().await.with("--service-urls", format!("producer=http://{address}"));
    let site = servers.start(&["user_tasks"]).await;
    let id = Uuid::now_v7();
    let path = format!("/users/{id}/everywhere");
    let own = token(&site, id, Uuid::now_v7(), &[Role::User]);
    let admin = token(&site, Uuid::now_v7(), Uuid::now_v7(), &[Role::Admin]);
    assert_eq!(site.status_with(&path, &own).await, 403);
    assert_eq!(producer.asked_with(), None);
    assert_eq!(site.status_with(&path, &admin).await, 200);
    assert_eq!(producer.asked_with(), Some(format!("Bearer {admin}")));
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_that_are_cut_off_are_named_and_the_rest_is_told_in_time() {
    let producer = Producer::default();
    let (address, serving) = producer.serve().await;
    let (servers, search_server) = tokio::join!(Servers::new(), testkit::search());
    let producer_url = format!("http://{address}");
    let (mongo, redis, postgres, search) = tokio::join!(
        proxy(servers.mongo.url()),
        proxy(servers.redis.url()),
        proxy(&producer_url),
        proxy(search_server.url()),
    );
    let (mongo_url, redis_url) = (mongo.url_for(servers.mongo.url()), redis.url_for(servers.redis.url()));
    let search_url = search.url_for(search_server.url());
    let site = searching::with_search(servers, &search_server, &search_url)
        .with("--mongodb-url", mongo_url)
        .with("--redis-url", redis_url)
        .with("--service-urls", format!("producer={}", postgres.url_for(&producer_url)))
        .start(&ROLES)
        .await;
    let id = Uuid::now_v7();
    producer.has(id, 1);
    site.publish([versioned(&created(id, "Ada"), 1)]).await;
    site.reports(5).await;

    let all: [(_, &[&str]); 4] = [
        (&mongo, &["mongodb", "preferences", "welcome"]),
        (&redis, &["redis_profile", "redis_session"]),
        (&postgres, &["postgres"]),
        (&search, &["search"]),
    ];
    for (proxy, lost) in all {
        for silent in [false, true] {
            if silent {
                proxy.blackhole().await;
            } else {
                proxy.cut().await;
            }
            let began = Instant::now();
            let body = everywhere(&site, id).await;
            assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
            assert_eq!(body["agree"], true, "{body}");
            for store in ["postgres", "mongodb", "redis_profile", "redis_session", "preferences", "search", "welcome"] {
                let expected = if lost.contains(&store) { "unreachable" } else { "present" };
                assert_eq!(status(&body, store), expected, "{store} without {lost:?}: {body}");
            }
            proxy.restore().await;
            eventually("all is told again", || async {
                let body = everywhere(&site, id).await;
                lost.iter().all(|store| status(&body, store) == "present").then_some(())
            })
            .await;
        }
    }
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_says_which_stores_it_does_not_use() {
    let site = Servers::new().await.start(&["user_sessions"]).await;
    let body = everywhere(&site, Uuid::now_v7()).await;
    for store in ["mongodb", "preferences", "search", "welcome"] {
        assert_eq!(body["stores"][store], json!({ "status": "not_in_use" }), "{store}: {body}");
    }
    assert_eq!(status(&body, "postgres"), "unreachable", "nobody says where the producer is");
}
