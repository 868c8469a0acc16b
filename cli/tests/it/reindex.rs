//! `warren reindex`.

use axum::http::StatusCode;
use serde_json::json;

use crate::stub::{Scripted, Stub};

const USERS: &str = "POST /api/admin/reindex/users";

#[tokio::test]
async fn an_index_is_built_anew_and_named() {
    let stub = Stub::start().await;
    let done = json!({ "state": "done", "index": "users-1", "documents": 9, "refused": 0, "took_ms": 12 });
    let copying = json!({ "state": "copying", "done": 4, "total": 9 });
    stub.answer(USERS, Scripted::lines(&[copying.clone(), done]));
    let run = stub.warren(&["reindex", "users"]).await.expect(0);
    assert_eq!(
        (run.out.as_str(), run.err.as_str()),
        ("users: `users-1` is in use; 9 documents were copied in 12 ms\n", "")
    );
    let json = stub.warren(&["reindex", "users", "--json"]).await.expect(0).json();
    assert_eq!(json, json!({ "index": "users-1", "documents": 9, "refused": 0, "took_ms": 12 }));

    let left_out = json!({ "state": "done", "index": "users-1", "documents": 9, "refused": 2, "took_ms": 12 });
    stub.answer(USERS, Scripted::lines(&[copying, left_out]));
    let run = stub.warren(&["reindex", "users"]).await.expect(5);
    assert!(run.err.contains("2 documents were not taken"), "{}", run.err);
}

#[tokio::test]
async fn one_that_does_not_come_to_its_end_says_what_is_in_use() {
    let stub = Stub::start().await;
    let copying = json!({ "state": "copying", "done": 4, "total": 9 });
    let failed = json!({ "state": "failed", "error": "the search \u{9b}2J cannot be reached" });
    stub.answer(USERS, Scripted::lines(&[copying.clone(), failed]));
    let run = stub.warren(&["reindex", "users"]).await.expect(3);
    assert!(run.err.contains("cannot be reached. The index that was in use stays"), "{}", run.err);
    stub.answer(USERS, Scripted::lines(std::slice::from_ref(&copying)));
    stub.warren(&["reindex", "users"]).await.expect(5);

    stub.answer(USERS, Scripted::problem(StatusCode::CONFLICT, "users are indexed anew already"));
    let run = stub.warren(&["reindex", "users"]).await.expect(3);
    assert!(run.err.contains("not now: users are indexed anew already"), "{}", run.err);
    assert_eq!(stub.asked(USERS).len(), 3);

    stub.answer(USERS, Scripted::lines(&[copying]).open());
    let running = stub.start_warren(&["reindex", "users"]);
    testkit::eventually("the run is begun", || async { (stub.asked(USERS).len() == 4).then_some(()) }).await;
    running.interrupt();
    let run = running.end().await.expect(5);
    assert!(run.err.contains("interrupted") && run.err.contains("stays"), "{}", run.err);
}
