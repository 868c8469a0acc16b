//! Circuit breakers, as their callers meet them.

use std::time::Duration;

use client::{BreakerState, CallError};
use testkit::eventually;

use crate::backend::Backend;
use crate::registry::Registry;
use crate::support::Caller;

const ONE_TRY: [&str; 2] = ["--call-tries", "1"];

#[tokio::test]
async fn five_failures_open_it_and_nothing_is_sent_then() {
    let a = Backend::start("a").await;
    let caller = Caller::of(&[&a], &ONE_TRY);
    caller.who().await;
    a.kill().await;
    for failures in 0..5 {
        assert_eq!((caller.only().breaker, caller.only().consecutive_failures), (BreakerState::Closed, failures));
        assert!(matches!(caller.get("/").await, Err(CallError::Unreachable { .. } | CallError::Broken { .. })));
    }
    assert_eq!(caller.only().breaker, BreakerState::Open);

    a.revive().await;
    let error = caller.get("/").await.expect_err("it is left alone");
    let wait = error.retry_after().expect("it is known when it is tried again");
    assert!(matches!(error, CallError::AllOpen { .. }) && wait > Duration::from_secs(50), "{error:?}");
    assert_eq!(a.requests(), 1);
}

#[tokio::test]
async fn after_its_time_a_single_call_finds_out_whether_it_is_well() {
    let a = Backend::start("a").await;
    let caller = Caller::of(&[&a], &["--call-tries", "1", "--breaker-failures", "2", "--breaker-open", "0.2"]);
    a.kill().await;
    for _ in 0..2 {
        caller.get("/").await.expect_err("it is dead");
    }
    a.revive().await;

    let probe = eventually("the probe is on its way", || async {
        // Polled only until it has arrived or was refused; dropped before that it would free its place.
        let services = caller.services.clone();
        let probe = tokio::spawn(async move {
            let request = crate::support::request(http::Method::GET, "/gate", client::CallBody::empty());
            services.send("shop", client::Call::new(request)).await
        });
        while !probe.is_finished() && a.requests() == 0 {
            tokio::task::yield_now().await;
        }
        (!probe.is_finished()).then_some(probe)
    })
    .await;
    assert_eq!(caller.only().breaker, BreakerState::HalfOpen);
    for _ in 0..20 {
        let error = caller.get("/").await.expect_err("there is a probe already");
        assert!(matches!(error, CallError::AllOpen { .. }), "{error:?}");
    }
    assert_eq!(a.requests(), 1);

    a.open_gate();
    probe.await.expect("it does not panic").expect("it is answered");
    assert_eq!((caller.only().breaker, caller.only().consecutive_failures), (BreakerState::Closed, 0));
    caller.who().await;
}

#[tokio::test]
async fn an_answer_is_a_success_whatever_it_says() {
    let a = Backend::start("a").await;
    let caller = Caller::of(&[&a], &ONE_TRY);
    for _ in 0..10 {
        assert_eq!(caller.get("/status/500").await.expect("an answer is an answer").response.status(), 500);
    }
    assert_eq!(caller.only().breaker, BreakerState::Closed);
}

#[tokio::test]
async fn a_breaker_outlives_what_the_registry_tells_and_a_new_process_has_a_new_one() {
    let (registry, a, b) = tokio::join!(Registry::start(), Backend::start("a"), Backend::start("b"));
    let url = registry.url();
    registry.set(&[("one", a.address())]);
    let caller = Caller::new(&["--registry-url", &url, "--call-tries", "1"]);
    a.kill().await;
    for _ in 0..5 {
        caller.get("/").await.expect_err("it is dead");
    }
    assert_eq!(caller.only().breaker, BreakerState::Open);

    registry.set(&[("one", a.address()), ("two", b.address())]);
    let both = || async { Some(caller.services.report()).filter(|report| report.len() == 2) };
    let report = eventually("both are known", both).await;
    assert_eq!(report[0].breaker, BreakerState::Open, "{report:?}");
    for _ in 0..10 {
        assert_eq!(caller.who().await, "b");
    }

    a.revive().await;
    registry.set(&[("three", a.address())]);
    eventually("the old process is forgotten", || async { (caller.services.report().len() == 1).then_some(()) }).await;
    assert_eq!(caller.who().await, "a");
}
