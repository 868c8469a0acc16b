//! How long an instance may take.

use std::time::Duration;

use client::{BreakerState, Call, CallBody, CallError};
use http::Method;
use http_body_util::BodyExt;

use crate::backend::Backend;
use crate::support::{Caller, request};

#[tokio::test]
async fn an_instance_that_does_not_answer_is_given_up() {
    let (a, b) = tokio::join!(Backend::start("a"), Backend::start("b"));
    let caller = Caller::of(&[&a, &b], &["--call-timeout", "0.2", "--breaker-failures", "2"]);
    let error = caller.send(Method::POST, "/gate", "").await.expect_err("the gate is shut");
    assert!(matches!(error, CallError::TimedOut { .. }) && error.retry_after().is_none(), "{error:?}");
    assert_eq!(a.requests() + b.requests(), 1, "what may have taken effect was repeated");

    let error = caller.get("/gate").await.expect_err("both gates are shut");
    assert!(matches!(error, CallError::TimedOut { .. }), "{error:?}");
    let report = caller.services.report();
    assert!(report.iter().any(|instance| instance.breaker == BreakerState::Open), "{report:?}");
    assert!(report.iter().all(|instance| instance.in_flight == 0), "{report:?}");
}

#[tokio::test]
async fn a_call_may_have_a_limit_of_its_own() {
    let a = Backend::start("a").await;
    let caller = Caller::of(&[&a], &["--call-timeout", "0.05"]);
    let call = Call::new(request(Method::GET, "/gate", CallBody::empty()));
    let call = Call { timeout: Some(Duration::from_secs(30)), ..call };
    let opened = async {
        while a.requests() == 0 {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        a.open_gate();
    };
    let (answer, ()) = tokio::join!(caller.services.send("shop", call), opened);
    assert_eq!(answer.expect("it had its time").tries, 1);
}

#[tokio::test]
async fn an_answer_that_has_begun_may_last() {
    let a = Backend::start("a").await;
    let caller = Caller::of(&[&a], &["--call-timeout", "0.1"]);
    let mut stream = caller.get("/stream").await.expect("it begins").response.into_body();
    stream.frame().await.expect("it sends its name").expect("it is read");
    let further = tokio::time::timeout(Duration::from_millis(300), stream.frame()).await;
    assert!(further.is_err(), "the stream was cut: {further:?}");
    a.open_gate();
    stream.frame().await.expect("it goes on").expect("it is read");
}
