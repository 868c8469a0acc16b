//! Instances that do not answer are left alone.

use client::BreakerState;
use testkit::eventually;
use tonic::Code;

use super::{Caller, Shop};

#[tokio::test]
async fn an_instance_that_is_gone_is_not_chosen_again_and_again() {
    let (a, b) = tokio::join!(Shop::start("a"), Shop::start("b"));
    let caller = Caller::of(&[&a, &b], &["--breaker-failures", "3"]);
    for _ in 0..4 {
        caller.who().await;
    }
    a.proxy.cut().await;
    eventually("its breaker opens", || async {
        assert_eq!(caller.code("7").await, Code::Ok, "the other one answers");
        (caller.report(&a).breaker == BreakerState::Open).then_some(())
    })
    .await;
    let calls = b.calls();
    for _ in 0..20 {
        assert_eq!(caller.who().await, "b");
    }
    assert_eq!(b.calls() - calls, 20);
}

#[tokio::test]
async fn one_call_finds_out_that_it_is_back() {
    let shop = Shop::start("a").await;
    let settings = ["--breaker-failures", "1", "--breaker-open", "0.2", "--call-tries", "1"];
    let caller = Caller::of(&[&shop], &settings);
    shop.proxy.cut().await;
    assert_eq!(caller.code("7").await, Code::Unavailable);
    let status = caller.ask("7").await.unwrap_err();
    assert_eq!(status.message(), "no instance of `shop` has answered lately");
    shop.proxy.restore().await;
    eventually("it is called again", || async { (caller.code("7").await == Code::Ok).then_some(()) }).await;
    assert_eq!(caller.report(&shop).breaker, BreakerState::Closed);
}

#[tokio::test]
async fn a_deadline_that_passes_is_a_failure_whoever_notices_it_first() {
    let shop = Shop::start("a").await;
    let settings = ["--breaker-failures", "2", "--grpc-timeout", "0.2", "--call-tries", "1"];
    let caller = Caller::of(&[&shop], &settings);
    assert_eq!(caller.code("late").await, Code::DeadlineExceeded);
    assert_eq!(caller.code("too late").await, Code::DeadlineExceeded);
    assert_eq!(caller.report(&shop).breaker, BreakerState::Open);
    assert_eq!(caller.report(&shop).in_flight, 0);
}
