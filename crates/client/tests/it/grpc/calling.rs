//! Which instance is called, and what it is told.

use std::collections::BTreeMap;

use testkit::eventually;
use tonic::Code;

use super::{Caller, Shop, ask};
use crate::registry::Registry;

#[tokio::test]
async fn instances_take_turns() {
    let (a, b) = tokio::join!(Shop::start("a"), Shop::start("b"));
    let caller = Caller::of(&[&a, &b], &[]);
    let mut counts = BTreeMap::new();
    for _ in 0..10 {
        *counts.entry(caller.who().await).or_insert(0) += 1;
    }
    assert_eq!(counts, BTreeMap::from([("a".to_owned(), 5), ("b".to_owned(), 5)]));
}

#[tokio::test]
async fn an_instance_is_told_who_calls_for_what_and_for_how_long() {
    let shop = Shop::start("a").await;
    let caller = Caller::of(&[&shop], &[]);
    let told = caller.ask("7").await.expect("it answers");
    assert_eq!(told.last_name, "caller");
    assert_eq!(told.email.parse::<uuid::Uuid>().expect("an id is made").get_version_num(), 7);
    let millis: u64 = told.address.trim_end_matches('m').parse().expect("milliseconds");
    assert!((1_000..=2_000).contains(&millis), "{}", told.address);

    let told = ask(caller.services.channel("shop").ids("job-7", "batch-1"), "7").await.expect("it answers");
    assert_eq!((told.email.as_str(), told.created_by.as_str()), ("job-7", "batch-1"));
}

#[tokio::test]
async fn instances_come_and_go_with_the_registry() {
    let (registry, a, b) = tokio::join!(Registry::start(), Shop::start("a"), Shop::start("b"));
    registry.set_grpc(&[("one", a.address())]);
    let caller = Caller::new(&["--registry-url", &registry.url(), "--discovery-cache", "3600"]);
    assert_eq!(caller.who().await, "a");
    registry.set_grpc(&[("two", b.address())]);
    eventually("the other one is called", || async { (caller.who().await == "b").then_some(()) }).await;
    // Instances without gRPC.
    registry.set(&[("three", a.address())]);
    eventually("nobody is called", || async { (caller.code("7").await == Code::Unavailable).then_some(()) }).await;
}

#[tokio::test]
async fn what_an_instance_answers_is_passed_on() {
    let shop = Shop::start("a").await;
    let caller = Caller::of(&[&shop], &[]);
    let status = caller.ask("nobody").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "there is nobody"));
    assert_eq!(shop.calls(), 1);
    let nobody = ask(caller.services.channel("elsewhere"), "7").await.unwrap_err();
    assert_eq!((nobody.code(), nobody.message()), (Code::Unavailable, "no instance of `elsewhere` is running"));
}
