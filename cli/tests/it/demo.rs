//! `warren demo`.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::stub::{Scripted, Stub};

const USER: &str = "0198c5a2-6f6e-7cc3-98b7-8c4e1f7f2b11";
const TASK: &str = "0198c5a2-6f6e-7cc3-98b7-8c4e1f7f2b12";
const REMOVAL: &str = "0198c5a2-6f6e-7cc3-98b7-8c4e1f7f2b13";

fn task(state: &str, steps: &[(&str, &str)]) -> Value {
    let step = |(step, state): &(&str, &str)| json!({ "step": step, "state": state, "attempts": 1 });
    json!({ "state": state, "steps": steps.iter().map(step).collect::<Vec<_>>() })
}

fn everywhere(agree: bool, search: &str) -> Value {
    let present = json!({ "status": "present", "version": 1, "data": { "name": "Ada\u{1b}[2J\u{9b}1m" } });
    json!({ "user_id": USER, "agree": agree, "stores": {
        "postgres": present, "mongodb": present, "redis_profile": present, "preferences": present, "welcome": present,
        "redis_session": { "status": "absent" }, "search": { "status": search },
    } })
}

/// A system in which all goes well.
async fn with_stores(agree: bool, search: &str) -> Stub {
    let stub = Stub::start().await;
    let accepted =
        |task: &str| Scripted::json(&json!({ "task_id": task, "user_id": USER })).with_status(StatusCode::ACCEPTED);
    stub.answer("POST /api/users", accepted(TASK));
    stub.answer(format!("DELETE /api/users/{USER}"), accepted(REMOVAL));
    let events = [
        task("accepted", &[("user_tasks", "waiting"), ("user_search", "waiting")]),
        task("published", &[("user_tasks", "done"), ("user_search", "retrying")]),
        task("done", &[("user_tasks", "done"), ("user_search", "done")]),
    ];
    stub.answer(format!("GET /api/tasks/{TASK}/events"), Scripted::events(&events));
    stub.answer(format!("GET /api/tasks/{REMOVAL}/events"), Scripted::events(&[task("done", &[])]));
    stub.answer(format!("GET /api/users/{USER}/everywhere"), Scripted::json(&everywhere(agree, search)));
    stub
}

#[tokio::test]
async fn one_user_is_watched_through_every_store_and_removed_again() {
    let stub = with_stores(true, "not_in_use").await;
    let run = stub.warren(&["demo"]).await.expect(0);
    let told = [
        "accepted: PostgreSQL has Ada Demo-",
        "user_tasks: done (the user, in MongoDB)",
        "user_search: done",
        "done: every step has ended",
        "postgres       present     v1   {\"name\":\"Ada",
        "They agree.",
        "total: one user in 5 stores: mongodb, postgres, preferences, redis_profile, welcome",
        "removed: after",
    ];
    let found: Vec<_> = told.iter().map(|told| run.out.find(told)).collect();
    assert!(found.iter().all(Option::is_some) && found.is_sorted(), "{found:?}\n{}", run.out);
    assert_eq!(run.err, "");
    let user = &stub.asked("POST /api/users")[0];
    assert_eq!(user["preferences"]["language"], "en");
    assert_eq!(stub.asked(&format!("DELETE /api/users/{USER}")).len(), 1);
}

#[tokio::test]
async fn a_user_can_be_kept_and_what_was_seen_is_json() {
    let stub = with_stores(true, "not_in_use").await;
    let seen = stub.warren(&["demo", "--keep", "--json"]).await.expect(0).json();
    assert_eq!((&seen["user_id"], &seen["task_id"]), (&json!(USER), &json!(TASK)));
    assert_eq!(seen["steps"][1]["step"], "user_search");
    assert_eq!(seen["everywhere"], everywhere(true, "not_in_use").as_object().map(without_id).unwrap());
    assert!(seen["done_ms"].as_f64() >= seen["accepted_ms"].as_f64(), "{seen}");
    assert_eq!(stub.asked(&format!("DELETE /api/users/{USER}")).len(), 0);
}

fn without_id(everywhere: &serde_json::Map<String, Value>) -> Value {
    everywhere
        .iter()
        .filter(|(name, _)| *name != "user_id")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[tokio::test]
async fn where_there_is_a_search_the_user_is_looked_for() {
    let stub = with_stores(true, "present").await;
    stub.answer("GET /api/search", Scripted::json(&json!({ "hits": [{ "id": USER }], "next": null, "total": 1 })));
    let run = stub.warren(&["demo"]).await.expect(0);
    assert!(run.out.contains("found: a search for `") && run.out.contains("one user in 6 stores"), "{}", run.out);
    let name = stub.asked("POST /api/users")[0]["name"].as_str().unwrap().to_owned();
    let number = name.trim_start_matches("Ada Demo-");
    assert_eq!(stub.asked(&format!("GET /api/search?kind=users&q={number}")).len(), 1);
}

#[tokio::test]
async fn stores_that_do_not_agree_show_in_the_exit_code() {
    let stub = with_stores(false, "not_in_use").await;
    let run = stub.warren(&["demo"]).await.expect(5);
    assert!(run.out.contains("They do NOT agree."), "{}", run.out);
}

#[tokio::test]
async fn a_step_that_waits_is_named_and_the_user_is_deleted_all_the_same() {
    let stub = with_stores(true, "not_in_use").await;
    let mut waits = task("published", &[("user_tasks", "done"), ("user_search", "retrying")]);
    waits["steps"][1]["error"] = json!("no\u{1b}[2J route\u{202e}");
    stub.answer(format!("GET /api/tasks/{TASK}/events"), Scripted::events(&[waits]).open());
    let run = stub.warren(&["demo", "--seconds=1"]).await.expect(3);
    assert!(
        run.err.contains("because of `user_search` (retrying for ") && run.err.contains("tries: 1, no"),
        "{}",
        run.err
    );
    assert!(run.err.contains("is being deleted again") && run.out.contains("user_tasks: done"), "{run:?}");
    assert_eq!(stub.asked(&format!("DELETE /api/users/{USER}")).len(), 1);
}

#[tokio::test]
async fn a_task_that_was_rolled_back_says_why() {
    let stub = with_stores(true, "not_in_use").await;
    let mut rolled_back = task("rolled_back", &[("user_search", "failed")]);
    rolled_back["reason"] = json!("the index is read-only");
    let events = [task("rolling_back", &[("user_search", "failed")]), rolled_back];
    stub.answer(format!("GET /api/tasks/{TASK}/events"), Scripted::events(&events));
    let run = stub.warren(&["demo"]).await.expect(5);
    assert!(run.err.contains("rolled_back: the index is read-only"), "{}", run.err);
}
