//! What is sent again, and what is not.

use std::time::Duration;

use axum::body::Body;
use client::{Call, CallBody, CallError};
use http::Method;

use crate::backend::{Backend, Breaking};
use crate::support::{Caller, request, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_instance_is_invisible_to_those_who_read() {
    let (a, b) = tokio::join!(Backend::start("a"), Backend::start("b"));
    let caller = Caller::of(&[&a, &b], &[]);
    let work = || async {
        for _ in 0..200 {
            assert_eq!(caller.get("/").await.expect("nobody sees the dead instance").response.status(), 200);
        }
    };
    let kill = async {
        while a.requests() < 200 {
            tokio::task::yield_now().await;
        }
        a.kill().await;
    };
    tokio::join!(work(), work(), work(), work(), work(), work(), kill);
    assert_eq!(caller.who().await, "b");
}

#[tokio::test]
async fn what_was_sent_without_a_key_is_not_sent_again() {
    let (breaking, well) = tokio::join!(Breaking::start(), Backend::start("well"));
    let caller = Caller::of_addresses(&[breaking.address(), well.address()], &[]);
    let mut broken = 0;
    for _ in 0..4 {
        match caller.send(Method::POST, "/", "one").await {
            Ok(answer) => assert_eq!((answer.tries, text(answer).await.as_str()), (1, "well")),
            Err(CallError::Broken { service }) => {
                assert_eq!(service, "shop");
                broken += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((broken, breaking.requests(), well.requests()), (2, 2, 2));
}

#[tokio::test]
async fn what_has_a_key_or_only_reads_is_sent_again() {
    let (breaking, well) = tokio::join!(Breaking::start(), Backend::start("well"));
    let caller = Caller::of_addresses(&[breaking.address(), well.address()], &[]);
    for method in [Method::POST, Method::GET] {
        let before = breaking.requests();
        for _ in 0..2 {
            let call =
                Call { repeatable: true, ..Call::new(request(method.clone(), "/echo", CallBody::Whole("one".into()))) };
            let answer = caller.services.send("shop", call).await.expect("the other one answers");
            assert_eq!(answer.instance, well.address().to_string());
            assert_eq!(text(answer).await, "one", "the body is not there again");
        }
        assert_eq!(breaking.requests() - before, 1);
    }
}

#[tokio::test]
async fn what_reached_nobody_goes_elsewhere_also_without_a_key() {
    let (dead, well) = tokio::join!(Backend::start("dead"), Backend::start("well"));
    dead.kill().await;
    let caller = Caller::of(&[&dead, &well], &["--breaker-failures", "1000"]);
    let mut tries = 0;
    for _ in 0..20 {
        let answer = caller.send(Method::POST, "/echo", "one").await.expect("the other one takes it");
        tries += answer.tries;
        assert_eq!(text(answer).await, "one");
        // As passed on by the gateway, which does not hold bodies.
        let stream = CallBody::Stream(Body::from_stream(futures_util::stream::iter([Ok::<_, std::io::Error>("two")])));
        let answer = caller.services.send("shop", Call::new(request(Method::POST, "/echo", stream))).await;
        assert_eq!(text(answer.expect("nothing of it was touched")).await, "two");
    }
    assert_eq!(well.requests(), 40);
    assert!((20..40).contains(&tries), "the refusing instance was not avoided: {tries} tries");
}

#[tokio::test]
async fn the_only_instance_is_tried_again_after_a_while() {
    let a = Backend::start("a").await;
    a.kill().await;
    let caller = Caller::of(&[&a], &["--call-tries", "10", "--call-backoff", "0.5", "--breaker-failures", "100"]);
    let (answer, ()) = tokio::join!(caller.send(Method::POST, "/", ""), a.revive());
    assert_eq!(text(answer.expect("it is back")).await, "a");
}

#[tokio::test]
async fn an_instance_that_cannot_work_now_is_passed_over_if_there_is_another() {
    let (a, b) = tokio::join!(Backend::start("a"), Backend::start("b"));
    let caller = Caller::of(&[&a, &b], &[]);
    for code in [502, 503, 504] {
        let before = a.requests() + b.requests();
        let answer = caller.get(&format!("/status/{code}")).await.expect("an answer is an answer");
        // Both have said so, and it is passed on.
        assert_eq!((answer.response.status().as_u16(), answer.tries), (code, 2));
        assert_eq!(a.requests() + b.requests() - before, 2);
    }
    let answer = caller.get("/status/500").await.expect("an answer is an answer");
    assert_eq!((answer.response.status().as_u16(), answer.tries), (500, 1));
    let answer = caller.send(Method::POST, "/status/503", "").await.expect("an answer is an answer");
    assert_eq!((answer.response.status().as_u16(), answer.tries), (503, 1));
}

#[tokio::test]
async fn no_more_is_repeated_than_the_budget_allows() {
    let (a, b) = tokio::join!(Backend::start("a"), Backend::start("b"));
    let caller = Caller::of(&[&a, &b], &["--retry-budget", "0.1"]);
    for _ in 0..600 {
        let answer = caller.get("/status/503").await.expect("an answer is an answer");
        assert_eq!(answer.response.status(), 503);
    }
    // A hundred in ten seconds are free, and a tenth of the calls.
    let repeated = a.requests() + b.requests() - 600;
    assert!((100..=161).contains(&repeated), "{repeated} calls were repeated");

    let none = Caller::of(&[&a, &b], &["--retry-budget", "0"]);
    let answer = none.get("/status/503").await.expect("an answer is an answer");
    assert_eq!(answer.tries, 1);
}

#[tokio::test]
async fn a_service_that_is_away_is_a_refusal_within_its_time() {
    let a = Backend::start("a").await;
    a.kill().await;
    let caller = Caller::of(&[&a], &[]);
    let error = caller.get("/").await.expect_err("nobody is there");
    assert!(matches!(error, CallError::Unreachable { .. }), "{error:?}");
    assert_eq!((error.service(), error.retry_after()), (Some("shop"), Some(Duration::from_secs(1))));
    assert_eq!(error.to_string(), "`shop` cannot be reached");
    assert_eq!(caller.only().consecutive_failures, 3);
}
