//! Bodies that are passed on as they come.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use client::{Answer, BreakerState, Call, CallBody, CallError};
use futures_util::stream::unfold;
use http::Method;
use http_body_util::BodyExt;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::backend::{Backend, Breaking};
use crate::support::{Caller, request, text};

type Part = Result<Bytes, std::io::Error>;

async fn post(caller: &Caller, parts: mpsc::Receiver<Part>, repeatable: bool) -> Result<Answer, CallError> {
    let parts = unfold(parts, async |mut parts| Some((parts.recv().await?, parts)));
    let body = CallBody::Stream(Body::from_stream(parts));
    let call = Call { repeatable, ..Call::new(request(Method::POST, "/echo", body)) };
    caller.services.send("shop", call).await
}

#[tokio::test]
async fn a_body_that_was_passed_on_is_not_sent_twice() {
    let (breaking, well) = tokio::join!(Breaking::start(), Backend::start("well"));
    let caller = Caller::of_addresses(&[breaking.address(), well.address()], &[]);
    let mut broken = 0;
    for _ in 0..4 {
        let (send, parts) = mpsc::channel(1);
        let sent = async {
            // It fails where nobody takes it.
            let _ = send.send(Ok("part".into())).await;
            drop(send);
        };
        match tokio::join!(post(&caller, parts, true), sent).0 {
            Ok(answer) => assert_eq!(text(answer).await, "part"),
            Err(CallError::Broken { .. }) => broken += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((broken, breaking.requests(), well.requests()), (2, 2, 2));
}

#[tokio::test]
async fn a_slow_client_does_not_use_up_the_time_of_the_instance() {
    let a = Backend::start("a").await;
    let caller = Caller::of(&[&a], &["--call-timeout", "0.1"]);
    let (send, parts) = mpsc::channel(1);
    let sent = async {
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            send.send(Ok("part ".into())).await.expect("it is passed on");
        }
        drop(send);
    };
    let answer = tokio::join!(post(&caller, parts, false), sent).0;
    assert_eq!(text(answer.expect("it is answered in time")).await, "part part part part ");
}

#[tokio::test]
async fn a_client_that_fails_is_not_the_instances_fault() {
    let a = Backend::start("a").await;
    let caller = Caller::of(&[&a], &["--breaker-failures", "1"]);
    let (send, parts) = mpsc::channel(1);
    let sent = async {
        send.send(Ok("part".into())).await.expect("it is passed on");
        send.send(Err(std::io::Error::other("the client has left"))).await.expect("it is passed on");
    };
    let error = tokio::join!(post(&caller, parts, true), sent).0.expect_err("there is no whole request");
    let CallError::RequestBody(cause) = error else { panic!("{error:?}") };
    assert_eq!(cause.to_string(), "the client has left");
    assert_eq!((caller.only().consecutive_failures, caller.only().in_flight), (0, 0));
}

#[tokio::test]
async fn large_bodies_pass_both_ways_as_they_come() {
    let a = Backend::start("a").await;
    let caller = Caller::of(&[&a], &[]);
    let (send, parts) = mpsc::channel(1);
    let part = Bytes::from(vec![b'x'; 64 * 1024]);
    let sent = async {
        for _ in 0..24 {
            send.send(Ok(part.clone())).await.expect("it is passed on");
        }
        drop(send);
    };
    let answer = tokio::join!(post(&caller, parts, false), sent).0.expect("it is answered");
    let body = answer.response.into_body().collect().await.expect("it is whole").to_bytes();
    assert_eq!(body.len(), 24 * part.len());
}

#[tokio::test]
async fn an_instance_that_takes_no_more_of_a_body_is_given_up() {
    // The system accepts connections for it, until its buffers are full.
    let stuck = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let address = stuck.local_addr().expect("it listens");
    let caller = Caller::of_addresses(&[address], &["--call-timeout", "0.2", "--breaker-failures", "1"]);
    let (send, parts) = mpsc::channel(1);
    let part = Bytes::from(vec![b'x'; 64 * 1024]);
    let sent = async { while send.send(Ok(part.clone())).await.is_ok() {} };
    let given_up = async {
        let error = post(&caller, parts, false).await.expect_err("it answers nothing");
        assert!(matches!(error, CallError::TimedOut { .. }), "{error:?}");
        assert_eq!(caller.only().breaker, BreakerState::Open);
    };
    let both = async { tokio::join!(given_up, sent) };
    // The second ends when the client is let go.
    tokio::time::timeout(Duration::from_secs(10), both).await.expect("it is given up in time");
}
