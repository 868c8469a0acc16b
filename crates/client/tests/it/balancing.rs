//! Which instance gets a call.

use std::collections::BTreeMap;

use http_body_util::BodyExt;
use testkit::eventually;

use crate::backend::Backend;
use crate::support::Caller;

async fn counts(caller: &Caller, calls: usize) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for _ in 0..calls {
        *counts.entry(caller.who().await).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn each_instance_has_its_turn() {
    let (a, b, c) = tokio::join!(Backend::start("a"), Backend::start("b"), Backend::start("c"));
    let caller = Caller::of(&[&a, &b, &c], &[]);
    let counts = counts(&caller, 30).await;
    assert_eq!(counts.values().copied().collect::<Vec<_>>(), [10, 10, 10]);
}

#[tokio::test]
async fn chance_reaches_each_instance() {
    let (a, b) = tokio::join!(Backend::start("a"), Backend::start("b"));
    let caller = Caller::of(&[&a, &b], &["--balancing", "random"]);
    // The chance that it does not is 2^-59.
    assert_eq!(counts(&caller, 60).await.len(), 2);
}

#[tokio::test]
async fn a_stream_counts_as_a_connection_until_it_ends() {
    let (a, b) = tokio::join!(Backend::start("a"), Backend::start("b"));
    let caller = Caller::of(&[&a, &b], &["--balancing", "least-connections"]);

    let mut stream = caller.get("/stream").await.expect("one of them answers").response.into_body();
    let first = stream.frame().await.expect("it sends its name").expect("it is read");
    let busy = first.into_data().expect("it is data");
    let idle = if busy.as_ref() == b"a" { "b" } else { "a" };
    assert_eq!(counts(&caller, 10).await, BTreeMap::from([(idle.to_owned(), 10)]));

    if idle == "b" {
        a.open_gate()
    } else {
        b.open_gate()
    }
    while stream.frame().await.is_some() {}
    let in_flight = || caller.services.report().iter().map(|instance| instance.in_flight).sum::<usize>();
    eventually("nothing is in flight", || async { (in_flight() == 0).then_some(()) }).await;
    assert_eq!(counts(&caller, 10).await.values().copied().collect::<Vec<_>>(), [5, 5]);
}

#[tokio::test]
async fn an_answer_that_nobody_reads_to_its_end_is_in_flight_no_more() {
    let a = Backend::start("a").await;
    let caller = Caller::of(&[&a], &[]);
    let answer = caller.get("/stream").await.expect("it answers");
    assert_eq!(caller.only().in_flight, 1);
    drop(answer);
    assert_eq!(caller.only().in_flight, 0);
}
