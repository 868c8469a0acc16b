//! How callers know where services are.

use client::CallError;
use testkit::eventually;

use crate::backend::Backend;
use crate::registry::Registry;
use crate::support::Caller;

#[tokio::test]
async fn a_change_is_known_at_once() {
    let (registry, a, b) = tokio::join!(Registry::start(), Backend::start("a"), Backend::start("b"));
    registry.set(&[("one", a.address())]);
    // Nothing is looked up again within the test.
    let caller = Caller::new(&["--registry-url", &registry.url(), "--discovery-cache", "3600"]);
    assert_eq!(caller.who().await, "a");
    registry.set(&[("two", b.address())]);
    eventually("the other one is called", || async { (caller.who().await == "b").then_some(()) }).await;
    registry.set(&[]);
    eventually("nobody is called", || async {
        let answer = caller.get("/").await;
        matches!(answer, Err(CallError::NoInstance { .. })).then_some(())
    })
    .await;
    assert!(registry.lookups() <= 1, "{} lookups", registry.lookups());
}

#[tokio::test]
async fn what_is_known_is_used_for_as_long_as_the_registry_is_away() {
    let (registry, a, b) = tokio::join!(Registry::start(), Backend::start("a"), Backend::start("b"));
    registry.set(&[("one", a.address())]);
    let caller = Caller::new(&["--registry-url", &registry.url(), "--discovery-cache", "0.01"]);
    assert_eq!(caller.who().await, "a");
    registry.kill().await;
    for _ in 0..50 {
        assert_eq!(caller.who().await, "a");
    }
    registry.set(&[("two", b.address())]);
    registry.revive().await;
    eventually("the change is known", || async { (caller.who().await == "b").then_some(()) }).await;
}

#[tokio::test]
async fn a_registry_that_does_not_tell_is_asked_now_and_then() {
    let (registry, a, b) = tokio::join!(Registry::without_watch(), Backend::start("a"), Backend::start("b"));
    registry.set(&[("one", a.address())]);
    let caller = Caller::new(&["--registry-url", &registry.url(), "--discovery-cache", "0.2"]);
    for _ in 0..20 {
        assert_eq!(caller.who().await, "a");
    }
    assert!(registry.lookups() <= 2, "{} lookups", registry.lookups());
    registry.set(&[("two", b.address())]);
    eventually("the change is known", || async { (caller.who().await == "b").then_some(()) }).await;
}

#[tokio::test]
async fn a_lookup_that_finds_nobody_any_more_is_doubted_for_a_while() {
    let (registry, a) = tokio::join!(Registry::without_watch(), Backend::start("a"));
    registry.set(&[("one", a.address())]);
    let caller = Caller::new(&["--registry-url", &registry.url(), "--discovery-cache", "0.5"]);
    assert_eq!(caller.who().await, "a");
    registry.forget();
    eventually("the service is looked up again", || async {
        assert_eq!(caller.who().await, "a");
        (registry.lookups() > 1).then_some(())
    })
    .await;
    assert_eq!(caller.who().await, "a");
    eventually("nobody is believed in the end", || async {
        let _ = caller.services.service("shop").get("/who").send::<serde_json::Value>().await;
        caller.services.report().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_first_calls_wait_for_one_lookup() {
    let (registry, a) = tokio::join!(Registry::without_watch(), Backend::start("a"));
    registry.set(&[("one", a.address())]);
    let caller = Caller::new(&["--registry-url", &registry.url()]);
    let (one, two, three) = tokio::join!(caller.who(), caller.who(), caller.who());
    assert_eq!([one, two, three], ["a", "a", "a"]);
    assert_eq!(registry.lookups(), 1);
}

#[tokio::test]
async fn the_settings_say_where_a_service_is_that_the_registry_does_not_know() {
    let (registry, a, b) = tokio::join!(Registry::start(), Backend::start("a"), Backend::start("b"));
    let urls = format!("shop=http://{}", a.address());
    let caller = Caller::new(&["--registry-url", &registry.url(), "--service-urls", &urls]);
    assert_eq!(caller.who().await, "a");
    registry.set(&[("one", b.address())]);
    eventually("the registry is believed", || async { (caller.who().await == "b").then_some(()) }).await;
    registry.set(&[]);
    eventually("the settings hold again", || async { (caller.who().await == "a").then_some(()) }).await;
}

#[tokio::test]
async fn another_replica_of_the_registry_answers_while_one_is_away() {
    let (gone, there) = tokio::join!(Registry::start(), Registry::start());
    let a = Backend::start("a").await;
    gone.kill().await;
    there.set(&[("one", a.address())]);
    let urls = format!("{},{}", gone.url(), there.url());
    let caller = Caller::new(&["--registry-url", &urls]);
    assert_eq!(caller.who().await, "a");
    eventually("it tells of changes", || async {
        there.set(&[]);
        caller.services.report().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn nobody_is_a_refusal_that_says_when_to_come_back() {
    let caller = Caller::new(&[]);
    for service in ["shop", "../shop", "", "Shop?x"] {
        let request = crate::support::request(http::Method::GET, "/", client::CallBody::empty());
        let error = caller.services.send(service, client::Call::new(request)).await.expect_err("there is none");
        assert!(matches!(error, CallError::NoInstance { .. }) && error.retry_after().is_some(), "{error:?}");
    }
}
