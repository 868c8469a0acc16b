//! `warren dead-letters`.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::stub::{Scripted, Stub};

const REDRIVE: &str = "POST /api/admin/dead-letters/user_tasks/redrive";
const PURGE: &str = "POST /api/admin/dead-letters/user_tasks/purge";

fn line(state: &str, done: u64) -> Value {
    json!({ "state": state, "total": 3, "seen": 3, "matched": 2, "done": done, "refused": 0 })
}

#[tokio::test]
async fn queues_are_listed_with_what_is_parked() {
    let stub = Stub::start().await;
    let counts = json!({ "queues": [
        { "queue": "user_tasks", "dead_letter_queue": "user_tasks.dead", "parked": 3 },
        { "queue": "user_search", "dead_letter_queue": "user_search.dead", "parked": null },
    ], "parked": 3 });
    stub.answer("GET /api/admin/dead-letters", Scripted::json(&counts));
    let run = stub.warren(&["dead-letters", "list"]).await.expect(0);
    assert_eq!(run.out, "        3  user_tasks\n        -  user_search\n        3  in all\n");
    assert_eq!(stub.warren(&["dead-letters", "list", "--json"]).await.expect(0).json(), counts);
}

#[tokio::test]
async fn letters_are_shown_and_steer_no_terminal() {
    let stub = Stub::start().await;
    let letter = json!({
        "message_id": "m-1", "kind": "user.created", "reason": "no such \u{1b}]0;table\u{7}\u{9b}2J", "attempts": 5,
        "first_failure": null, "parked_at": "2026-01-02T03:04:05Z", "published_at": "2026-01-02T03:04:00Z",
        "correlation_id": null, "redriven_at": null, "redriven_by": null, "size": 13,
        "headers": { "x-version": 3, "x-dead-reason": "as above", "\u{202e}": "\n" },
        "body": { "name": "a\u{1b}[2J" }, "body_form": "json", "truncated": false,
    });
    let page = json!({ "queue": "user_tasks", "messages": [letter] });
    let path = "GET /api/admin/dead-letters/user_tasks?limit=5&message_id=m-1&kind=user.created&reason=no+such&older_than_secs=600";
    stub.answer(path, Scripted::json(&page));
    let which = [
        "dead-letters",
        "show",
        "user_tasks",
        "--limit=5",
        "--id=m-1",
        "--kind=user.created",
        "--reason=no such",
        "--older-than=10m",
    ];
    let run = stub.warren(&which).await.expect(0);
    for told in ["m-1  user.created", "no such", "(tries: 5)", "x-version: 3", "13 bytes: {\"name\":\"a"] {
        assert!(run.out.contains(told), "{told}: {}", run.out);
    }
    assert!(!run.out.contains("as above"), "{}", run.out);
    let json = stub.warren(&[&which[..], &["--json"]].concat()).await.expect(0).json();
    assert_eq!(json, page);

    stub.answer(
        "GET /api/admin/dead-letters/user_tasks?limit=20",
        Scripted::json(&json!({ "queue": "user_tasks", "messages": [] })),
    );
    let run = stub.warren(&["dead-letters", "show", "user_tasks"]).await.expect(0);
    assert!(run.out.contains("no dead letter of `user_tasks`"), "{}", run.out);
}

#[tokio::test]
async fn what_is_said_is_what_is_redriven_and_purged() {
    let stub = Stub::start().await;
    stub.answer(REDRIVE, Scripted::lines(&[line("running", 1), line("done", 2)]));
    stub.answer(PURGE, Scripted::lines(&[line("done", 2)]));
    let redrive = ["dead-letters", "redrive", "user_tasks", "--id=m-1", "--limit=7", "--rate=50"];
    let run = stub.warren(&redrive).await.expect(0);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("2 of 3 dead letters of `user_tasks` were redriven\n", ""));
    let purge = ["dead-letters", "purge", "user_tasks", "--kind=user.created", "--older-than=2h", "--dry-run"];
    let run = stub.warren(&purge).await.expect(0);
    assert_eq!(run.out, "2 of 3 dead letters of `user_tasks` would be thrown away\n");
    let json = stub.warren(&["dead-letters", "redrive", "user_tasks", "--reason=x", "--json"]).await.expect(0).json();
    assert_eq!(json, line("done", 2));
    let asked = [
        json!({ "filter": { "message_id": "m-1" }, "limit": 7, "rate": 50, "dry_run": false }),
        json!({ "filter": { "reason": "x" }, "dry_run": false }),
    ];
    assert_eq!(stub.asked(REDRIVE), asked);
    let asked = json!({ "filter": { "kind": "user.created", "older_than_secs": 7200 }, "dry_run": true });
    assert_eq!(stub.asked(PURGE), [asked]);
}

#[tokio::test]
async fn all_of_a_queue_is_touched_only_by_whoever_says_so() {
    let stub = Stub::start().await;
    stub.answer(REDRIVE, Scripted::lines(&[line("done", 2)]));
    stub.answer(PURGE, Scripted::lines(&[line("done", 2)]));
    for action in ["redrive", "purge"] {
        let run = stub.warren(&["dead-letters", action, "user_tasks"]).await.expect(2);
        assert!(run.err.contains("--yes") && run.err.contains("--dry-run"), "{}", run.err);
    }
    assert_eq!((stub.asked(REDRIVE).len(), stub.asked(PURGE).len()), (0, 0));
    stub.warren(&["dead-letters", "purge", "user_tasks", "--dry-run"]).await.expect(0);
    stub.warren(&["dead-letters", "purge", "user_tasks", "--yes"]).await.expect(0);
    assert_eq!(stub.asked(PURGE).len(), 2);
}

#[tokio::test]
async fn what_is_left_over_shows_in_the_exit_code() {
    let stub = Stub::start().await;
    let redrive = ["dead-letters", "redrive", "user_tasks", "--yes"];
    let mut interrupted = line("interrupted", 1);
    interrupted["interrupted"] = json!("the broker went away");
    let mut refused = line("done", 1);
    refused["refused"] = json!(1);
    for (lines, told) in [
        (vec![line("running", 0), interrupted], "the broker went away"),
        (vec![refused], "1 were refused"),
        (vec![line("running", 1)], "cut off: at least 1 were redriven"),
    ] {
        stub.answer(REDRIVE, Scripted::lines(&lines));
        let run = stub.warren(&redrive).await.expect(5);
        assert!(run.err.contains(told), "{}", run.err);
    }
    for (status, code) in [(StatusCode::FORBIDDEN, 4), (StatusCode::NOT_FOUND, 1), (StatusCode::SERVICE_UNAVAILABLE, 3)]
    {
        stub.answer(REDRIVE, Scripted::problem(status, "why \u{1b}[2J"));
        let run = stub.warren(&redrive).await.expect(code);
        assert!(run.err.contains(": why "), "{}", run.err);
    }
    // None of them was sent twice: they may have begun.
    assert_eq!(stub.asked(REDRIVE).len(), 6);
}

#[tokio::test]
async fn one_that_is_interrupted_says_what_was_done() {
    let stub = Stub::start().await;
    stub.answer(REDRIVE, Scripted::lines(&[line("running", 1)]).open());
    let running = stub.start_warren(&["dead-letters", "redrive", "user_tasks", "--yes"]);
    testkit::eventually("the run is begun", || async { (!stub.asked(REDRIVE).is_empty()).then_some(()) }).await;
    running.interrupt();
    let run = running.end().await.expect(5);
    assert!(run.err.contains("interrupted"), "{}", run.err);
}

#[tokio::test]
async fn past_the_gateway_the_consumer_is_asked_itself() {
    let stub = Stub::start().await;
    for service in ["producer", "consumer"] {
        stub.known().instances.insert(service.to_owned(), stub.address());
    }
    stub.answer("POST /admin/dead-letters/a%20b%2F..%2Fc/purge", Scripted::lines(&[line("done", 2)]));
    stub.warren(&["dead-letters", "purge", "a b/../c", "--yes", "--direct", "--url=http://127.0.0.1:1"])
        .await
        .expect(0);
}
