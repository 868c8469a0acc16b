//! What is sent again, and for how long.

use std::time::{Duration, Instant};

use tonic::{Code, Request};

use super::{Caller, Shop, ask};
use proto::v1::GetOwnerRequest;
use proto::v1::owner_service_client::OwnerServiceClient;

#[tokio::test]
async fn what_one_instance_is_unavailable_for_another_is_asked() {
    let (a, b) = tokio::join!(Shop::start("a"), Shop::start("b"));
    let caller = Caller::of(&[&a, &b], &[]);
    a.is_away(true);
    for _ in 0..4 {
        assert_eq!(caller.who().await, "b");
    }
    assert!(a.calls() > 0, "it takes its turns");
    // It has answered: it lives.
    assert_eq!(caller.report(&a).consecutive_failures, 0);
    b.is_away(true);
    let status = caller.ask("7").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "the database is away"));
}

#[tokio::test]
async fn a_call_that_must_take_effect_once_is_sent_once() {
    let (a, b) = tokio::join!(Shop::start("a"), Shop::start("b"));
    let caller = Caller::of(&[&a, &b], &[]);
    a.is_away(true);
    b.is_away(true);
    for calls in 1..=4 {
        ask(caller.services.channel("shop"), "7").await.unwrap_err();
        assert_eq!(a.calls() + b.calls(), calls);
    }
}

#[tokio::test]
async fn a_refused_connection_is_no_effect_and_another_instance_is_called() {
    let (a, b) = tokio::join!(Shop::start("a"), Shop::start("b"));
    let caller = Caller::of(&[&a, &b], &[]);
    a.proxy.cut().await;
    for _ in 0..6 {
        let answer = ask(caller.services.channel("shop"), "7").await.expect("the other one answers");
        assert_eq!(answer.first_name, "b");
    }
}

#[tokio::test]
async fn a_deadline_is_for_the_whole_call_and_is_not_waited_for_twice() {
    let (a, b) = tokio::join!(Shop::start("a"), Shop::start("b"));
    let caller = Caller::of(&[&a, &b], &["--grpc-timeout", "0.3"]);
    let began = Instant::now();
    let status = caller.ask("late").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::DeadlineExceeded, "`shop` did not answer in time"));
    assert!(began.elapsed() < Duration::from_millis(1_500), "it took {:?}", began.elapsed());
    assert_eq!(a.calls() + b.calls(), 1);

    // A request's own goes before the settings'.
    let mut request = Request::new(GetOwnerRequest { owner_id: "late".to_owned() });
    request.set_timeout(Duration::from_millis(50));
    let mut client = OwnerServiceClient::new(caller.services.channel("shop").timeout(Duration::from_secs(60)));
    assert_eq!(client.get_owner(request).await.unwrap_err().code(), Code::DeadlineExceeded);
}
