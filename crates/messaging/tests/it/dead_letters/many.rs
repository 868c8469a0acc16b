//! More dead letters than anybody wants to look at.

use std::time::Instant;

use messaging::dead_letters::{Filter, Purge, Redrive};
use testkit::eventually;

use super::{DEAD, Rig, letter, letters};
use crate::support::QUEUE;

const MANY: usize = 5_000;

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_is_found_and_the_others_keep_their_order() {
    let rig = Rig::new().await;
    let mut parked = letters(MANY);
    parked[MANY - 2] = letter("the needle");
    let ids = rig.park(parked).await;
    let filter = Filter { reason: Some("needle".to_owned()), ..Filter::default() };
    let started = Instant::now();
    let report = rig.redrive(Redrive { filter, ..Redrive::default() }).await;
    println!("one of {MANY} redriven in {:?}", started.elapsed());
    assert_eq!((report.progress.seen, report.progress.done), (MANY as u64, 1));
    assert_eq!(rig.waiting().await, [ids[MANY - 2]]);
    let mut expected = ids.clone();
    expected.remove(MANY - 2);
    let mut left = Vec::new();
    while left.len() < expected.len() {
        let more = eventually("more of the others are there", || async {
            let taken = rig.rabbit.take(DEAD, 5_000).await;
            (!taken.is_empty()).then_some(taken)
        })
        .await;
        left.extend(super::ids(&more));
    }
    assert!(
        left == expected,
        "the order is another; first at {:?}",
        left.iter().zip(&expected).position(|(a, b)| a != b)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_many_are_redriven_or_thrown_away() {
    let rig = Rig::new().await;
    rig.park(letters(MANY)).await;
    let started = Instant::now();
    let report = rig.redrive(Redrive { limit: Some(MANY as u64 / 2), ..Redrive::default() }).await;
    println!("{} redriven in {:?}", report.progress.done, started.elapsed());
    let started = Instant::now();
    let purged = rig.purge(Purge::default()).await;
    println!("{} purged in {:?}", purged.progress.done, started.elapsed());
    assert_eq!((report.progress.done, purged.progress.done), (MANY as u64 / 2, MANY as u64 / 2));
    rig.holds(DEAD, 0).await;
    rig.holds(QUEUE, MANY as u64 / 2).await;
    // A vhost with much in it is hard to delete.
    rig.rabbit.purge(QUEUE).await;
}
