//! Dead letters by REST: who may, what is answered, and what is written down of it.

use reqwest::{Method, Response};
use serde_json::{Value, json};
use service::auth::Role;
use testkit::{eventually, proxy};
use uuid::Uuid;

use super::identity;
use super::support::{Servers, Site, created, holds, versioned};

/// A consumer of texts and records, and somebody who sends it requests.
struct Desk {
    site: Site,
    user: Uuid,
    token: String,
}

impl Desk {
    async fn new(role: Role) -> Self {
        Self::at(Servers::new().await, role).await
    }

    async fn at(servers: Servers, role: Role) -> Self {
        let site = servers.start(&["tasks", "user_tasks"]).await;
        let (user, token) = token(&site, role);
        Self { site, user, token }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let response = self.send(method, path, body).await;
        let status = response.status().as_u16();
        let text = response.text().await.expect("the answer comes to its end");
        let last = text.lines().last().unwrap_or("null");
        (status, serde_json::from_str(last).expect("every line is JSON"))
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let request = self.site.request(method, path).bearer_auth(&self.token);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        request.send().await.expect("the consumer answers")
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Texts that no consumer can read.
    async fn park(&self, count: u64) {
        for _ in 0..count {
            self.site.servers.rabbit.publish("commands", "message", json!({}), "{no json").await;
        }
        self.holds("tasks.dead", count).await;
    }

    async fn holds(&self, queue: &str, count: u64) {
        holds(&self.site.servers.rabbit, queue, count).await;
    }

    async fn audited(&self) -> Vec<Value> {
        let entries = self.get("/admin/audit").await.1["entries"].take();
        serde_json::from_value(entries).expect("a list")
    }
}

fn token(site: &Site, role: Role) -> (Uuid, String) {
    let user = Uuid::now_v7();
    (user, identity::token(site, user, Uuid::now_v7(), &[role]))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sees_redrives_and_purges_and_each_change_is_written_down() {
    let desk = Desk::new(Role::Admin).await;
    desk.park(3).await;
    let (status, counts) = desk.get("/admin/dead-letters").await;
    assert_eq!((status, &counts["parked"]), (200, &json!(3)), "{counts}");
    let of = |name: &str| counts["queues"].as_array().unwrap().iter().find(|queue| queue["queue"] == name).cloned();
    assert_eq!(of("tasks").unwrap(), json!({ "queue": "tasks", "dead_letter_queue": "tasks.dead", "parked": 3 }));
    assert_eq!(of("bridge.kafka").unwrap()["parked"], Value::Null, "no bridge has declared it");

    let (status, page) = desk.get("/admin/dead-letters/tasks?limit=2&reason=not+a+valid").await;
    assert_eq!((status, page["messages"].as_array().unwrap().len()), (200, 2), "{page}");
    let letter = &page["messages"][0];
    assert_eq!(
        (&letter["body"], &letter["body_form"], &letter["kind"]),
        (&json!("{no json"), &json!("text"), &json!("message"))
    );
    let id = letter["message_id"].clone();

    let request = json!({ "filter": { "message_id": id }, "dry_run": true });
    let (status, counted) = desk.post("/admin/dead-letters/tasks/redrive", request).await;
    assert_eq!((status, &counted["matched"], &counted["done"]), (200, &json!(1), &json!(0)), "{counted}");
    assert!(desk.audited().await.is_empty(), "a dry run changes nothing");

    // It fails again and is parked again.
    let request = json!({ "filter": { "message_id": id } });
    let (status, redriven) = desk.post("/admin/dead-letters/tasks/redrive", request.clone()).await;
    assert_eq!((status, &redriven["state"], &redriven["done"]), (200, &json!("done"), &json!(1)), "{redriven}");
    eventually("it is back, and tells of it", || async {
        let (_, page) = desk.get(&format!("/admin/dead-letters/tasks?message_id={}", id.as_str().unwrap())).await;
        (page["messages"][0]["redriven_by"] == desk.user.to_string()).then_some(())
    })
    .await;

    let (status, purged) = desk.post("/admin/dead-letters/tasks/purge", json!({ "limit": 2 })).await;
    assert_eq!((status, &purged["state"], &purged["done"]), (200, &json!("done"), &json!(2)), "{purged}");
    desk.holds("tasks.dead", 1).await;

    let entries = desk.audited().await;
    let [purge, redrive] = &entries[..] else { panic!("two changes, not {entries:?}") };
    assert_eq!((&purge["action"], &redrive["action"]), (&json!("purge"), &json!("redrive")));
    for entry in [purge, redrive] {
        assert_eq!((&entry["by"], &entry["queue"]), (&json!(desk.user), &json!("tasks")));
        assert_eq!((&entry["outcome"], entry["at"].is_string()), (&json!("done"), true));
    }
    assert_eq!((&redrive["request"]["filter"], &redrive["report"]["done"]), (&request["filter"], &json!(1)));
    assert_eq!(redrive["id"], redriven["audit_id"]);
    let (_, first) = desk.get("/admin/audit?limit=1").await;
    assert_eq!((&first["entries"][0], &first["next"]), (purge, &purge["id"]));
    let (_, second) = desk.get(&format!("/admin/audit?limit=1&after={}", first["next"].as_str().unwrap())).await;
    assert_eq!((&second["entries"][0], &second["next"]), (redrive, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_may_and_each_try_is_written_down() {
    let desk = Desk::new(Role::User).await;
    desk.park(1).await;
    let tries = [
        (Method::GET, "/admin/dead-letters", None),
        (Method::GET, "/admin/dead-letters/tasks", None),
        (Method::POST, "/admin/dead-letters/tasks/redrive", Some(json!({}))),
        (Method::POST, "/admin/dead-letters/tasks/purge", Some(json!({ "limit": 7 }))),
        (Method::GET, "/admin/audit", None),
    ];
    for (method, path, body) in tries.clone() {
        let (status, problem) = desk.ask(method.clone(), path, body.clone()).await;
        assert_eq!((status, &problem["detail"]), (403, &json!("only an admin may do this")), "{path}");
        let request = desk.site.request(method, path);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        assert_eq!(request.send().await.unwrap().status(), 401, "{path}: without a token");
    }
    desk.holds("tasks.dead", 1).await;

    let (_, token) = token(&desk.site, Role::Admin);
    let admin = Desk { token, ..desk };
    let entries = admin.audited().await;
    let told: Vec<_> = entries.iter().rev().map(|entry| (entry["action"].as_str().unwrap(), &entry["queue"])).collect();
    let tasks = json!("tasks");
    let expected = [
        ("list", &Value::Null),
        ("peek", &tasks),
        ("redrive", &tasks),
        ("purge", &tasks),
        ("read_audit", &Value::Null),
    ];
    assert_eq!(told, expected);
    assert!(entries.iter().all(|entry| entry["outcome"] == "refused" && entry["by"] == json!(admin.user)));
    assert_eq!(entries[1]["request"]["limit"], 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_named() {
    let desk = Desk::new(Role::Admin).await;
    let (status, problem) = desk.get("/admin/dead-letters/tusks").await;
    let detail = problem["detail"].as_str().unwrap();
    assert_eq!(status, 404);
    assert!(
        detail.starts_with("there is no queue `tusks`; there are tasks, ") && detail.contains("user_search"),
        "{detail}"
    );
    assert_eq!(desk.post("/admin/dead-letters/tusks/redrive", json!({})).await.0, 404);
    let (status, problem) = desk.post("/admin/dead-letters/bridge.kafka/purge", json!({})).await;
    assert_eq!((status, &problem["detail"]), (404, &json!("the broker has no queue `bridge.kafka.dead`")));

    for query in ["limit=0", "limit=101", "limit=many", "older_than_secs=-1", "message_id=", "resaon=x"] {
        let (status, problem) = desk.get(&format!("/admin/dead-letters/tasks?{query}")).await;
        let field = problem["errors"][0]["field"].as_str().unwrap_or_default();
        assert_eq!((status, field), (422, query.split('=').next().unwrap()), "{problem}");
    }
    for (body, field) in [
        (json!({ "limit": 0 }), "limit"),
        (json!({ "rate": 0 }), "rate"),
        (json!({ "rate": -1 }), "rate"),
        (json!({ "filter": { "kind": "" } }), "filter.kind"),
        (json!({ "filter": { "resaon": "a typo must not mean all" } }), "filter.resaon"),
        (json!({ "fitler": {} }), "fitler"),
        (json!({ "dry_run": "yes" }), "dry_run"),
    ] {
        let (status, problem) = desk.post("/admin/dead-letters/tasks/redrive", body.clone()).await;
        assert_eq!((status, problem["errors"][0]["field"].as_str()), (422, Some(field)), "{body}: {problem}");
    }
    let changes = desk.audited().await;
    assert!(changes.iter().all(|entry| entry["outcome"] == "failed"), "what could not be begun says so: {changes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_parked_takes_effect_once_it_is_redriven() {
    let desk = Desk::new(Role::Admin).await;
    // Parked by an older version that did not know the message: its cause is mended.
    let user = Uuid::now_v7();
    let message = versioned(&created(user, "Ada"), 1).with_header("x-dead-reason", "unknown message type");
    let parked = messaging::Outgoing { exchange: String::new(), routing_key: "user_tasks.dead".to_owned(), ..message };
    desk.site.publish([parked]).await;
    let (_, redriven) = desk.post("/admin/dead-letters/user_tasks/redrive", json!({})).await;
    assert_eq!(redriven["done"], 1, "{redriven}");
    assert_eq!(desk.site.found(&format!("/users/{user}")).await["name"], "Ada");
    desk.holds("user_tasks.dead", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_away_ends_the_run_and_that_is_written_down() {
    let desk = Desk::new(Role::Admin).await;
    desk.park(30).await;
    // So slow that it is still running when the client goes.
    let request = json!({ "filter": {}, "rate": 1 });
    let mut response = desk.send(Method::POST, "/admin/dead-letters/tasks/redrive", Some(request)).await;
    let line = response.chunk().await.unwrap().expect("a first line");
    let line: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!((&line["state"], &line["total"]), (&json!("running"), &json!(30)), "{line}");
    drop(response);
    let entry = eventually("it ends", || async {
        let entry = desk.audited().await.remove(0);
        (entry["outcome"] != "started").then_some(entry)
    })
    .await;
    assert_eq!(
        (&entry["outcome"], &entry["report"]["interrupted"]),
        (&json!("interrupted"), &json!("it was told to stop"))
    );
    assert!(entry["report"]["done"].as_u64().unwrap() < 30, "{entry}");
    desk.holds("tasks.dead", 30).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_broker_it_says_so_and_without_a_place_to_write_it_down_nothing_is_done() {
    let servers = Servers::new().await;
    let (rabbit, mongo) = (proxy(servers.rabbit.url()).await, proxy(servers.mongo.url()).await);
    let (amqp, mongodb) = (rabbit.url_for(servers.rabbit.url()), mongo.url_for(servers.mongo.url()));
    let desk = Desk::at(servers.with("--amqp-url", amqp).with("--mongodb-url", mongodb), Role::Admin).await;
    desk.park(1).await;

    mongo.cut().await;
    let (status, problem) = desk.post("/admin/dead-letters/tasks/purge", json!({})).await;
    assert_eq!(status, 503, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("MongoDB"), "{problem}");
    desk.holds("tasks.dead", 1).await;
    mongo.restore().await;

    rabbit.cut().await;
    for path in ["/admin/dead-letters", "/admin/dead-letters/tasks"] {
        let response = desk.send(Method::GET, path, None).await;
        assert_eq!(response.status(), 503, "{path}");
        assert!(response.headers().contains_key("retry-after"));
    }
    let (status, problem) = desk.post("/admin/dead-letters/tasks/redrive", json!({})).await;
    assert_eq!((status, &problem["detail"]), (503, &json!("RabbitMQ cannot be reached now")));
    assert_eq!(desk.audited().await[0]["outcome"], "failed");
}
