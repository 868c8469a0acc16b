//! Calls with JSON on both sides.

use client::{CallError, ServiceError};
use http::StatusCode;
use serde_json::{Value, json};

use crate::backend::{Backend, Breaking};
use crate::support::Caller;

#[tokio::test]
async fn json_goes_there_and_comes_back() {
    let a = Backend::start("a").await;
    let shop = Caller::of(&[&a], &[]).services.service("shop");
    let body = json!({ "name": "hare" });
    for call in [shop.post("/json"), shop.put("/json"), shop.delete("/json")] {
        let answer: Value = call.json(&body).idempotency_key("k-1").send().await.expect("it answers");
        assert_eq!(answer, json!({ "got": { "name": "hare" }, "key": "k-1" }));
    }
    let headers: Value = shop.get("/headers").ids("r-1", "c-1").send().await.expect("it answers");
    assert_eq!((&headers["x-request-id"], &headers["x-correlation-id"]), (&json!("r-1"), &json!("c-1")));
}

#[tokio::test]
async fn what_is_no_success_is_an_error_that_says_why() {
    let a = Backend::start("a").await;
    let caller = Caller::of(&[&a], &[]);
    let shop = caller.services.service("shop");
    let error = shop.get("/status/404").send::<Value>().await.expect_err("it is not there");
    assert_eq!(error.status(), Some(StatusCode::NOT_FOUND));
    assert_eq!(error.to_string(), "`shop` answered 404 Not Found: as you wish");

    let error = shop.get("/").send::<Value>().await.expect_err("it is no JSON");
    assert!(matches!(error, ServiceError::Unreadable { .. }), "{error:?}");
    let error = shop.get("no path").send::<Value>().await.expect_err("it is no path");
    assert!(matches!(error, ServiceError::Request(_)), "{error:?}");

    let nobody = caller.services.service("nobody").get("/").send::<Value>().await.expect_err("there is none");
    assert!(matches!(nobody, ServiceError::Call(CallError::NoInstance { .. })), "{nobody:?}");
}

#[tokio::test]
async fn an_idempotency_key_makes_a_call_repeatable() {
    let (breaking, well) = tokio::join!(Breaking::start(), Backend::start("well"));
    let caller = Caller::of_addresses(&[breaking.address(), well.address()], &[]);
    let shop = caller.services.service("shop");
    for _ in 0..2 {
        let sent = shop.post("/json").json(&1).idempotency_key("k-2").send::<Value>().await;
        assert_eq!(sent.expect("the other one answers")["key"], "k-2");
    }
    assert_eq!((breaking.requests(), well.requests()), (1, 2));
}
