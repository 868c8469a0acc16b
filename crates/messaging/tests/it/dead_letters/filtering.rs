//! Only what is meant is touched, and the rest keeps its order.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use messaging::Outgoing;
use messaging::dead_letters::{Filter, Progress, Purge, Redrive};

use super::{DEAD, Rig, hours_ago, letter, letters};
use crate::support::{QUEUE, job};

/// Eight letters of all sorts, and the place of the one that each filter means.
fn sorts() -> Vec<Outgoing> {
    let mut other = letter("not known").with_header("x-dead-at", hours_ago(30));
    other.kind = "other".to_owned();
    vec![
        letter("no such table"),
        letter("no such column"),
        other,
        letter("no such table"),
        job("ok"),
        letter("No Such Table `a`"),
        letter("no such column").with_header("x-dead-at", hours_ago(48)),
        letter("no such table"),
    ]
}

#[tokio::test]
async fn a_filter_redrives_what_it_means_and_leaves_the_rest_in_order() {
    let hour = |hours: u64| Some(Duration::from_secs(hours * 3600));
    let some = |text: &str| Some(text.to_owned());
    let sorts = sorts();
    let id = some(&sorts[3].id.to_string());
    let rig = Rig::new().await;
    for (filter, limit, meant) in [
        (Filter { message_id: id, ..Filter::default() }, None, &[3][..]),
        (Filter { kind: some("other"), ..Filter::default() }, None, &[2]),
        (Filter { reason: some("such table"), ..Filter::default() }, None, &[0, 3, 5, 7]),
        (Filter { reason: some("such table"), ..Filter::default() }, Some(2), &[0, 3]),
        (Filter { older_than: hour(24), ..Filter::default() }, None, &[2, 6]),
        (Filter { kind: some("job"), older_than: hour(24), ..Filter::default() }, None, &[6]),
        (Filter { kind: some("nothing"), ..Filter::default() }, None, &[]),
        (Filter::default(), Some(3), &[0, 1, 2]),
    ] {
        let ids = rig.park(sorts.clone()).await;
        let left: Vec<_> = (0..ids.len()).filter(|place| !meant.contains(place)).map(|place| ids[place]).collect();
        let redrive = Redrive { filter: filter.clone(), limit, ..Redrive::default() };
        let counted = rig.redrive(Redrive { dry_run: true, ..redrive.clone() }).await;
        assert_eq!((counted.progress.matched, counted.progress.done), (meant.len() as u64, 0), "{filter:?}");
        assert_eq!(rig.parked().await, ids, "{filter:?}: a dry run changes nothing");
        rig.holds(QUEUE, 0).await;

        let report = rig.redrive(redrive).await;
        assert_eq!((report.progress.matched, report.progress.done), (meant.len() as u64, meant.len() as u64));
        assert_eq!(rig.parked().await, left, "{filter:?}");
        let redriven: Vec<_> = meant.iter().map(|place| ids[*place]).collect();
        assert_eq!(rig.waiting().await, redriven, "{filter:?}");
        rig.rabbit.take(DEAD, 100).await;
        rig.rabbit.take(QUEUE, 100).await;
    }
}

#[tokio::test]
async fn a_purge_throws_away_only_what_it_names() {
    let rig = Rig::new().await;
    let ids = rig.park(sorts()).await;
    let filter = Filter { reason: Some("such table".to_owned()), ..Filter::default() };
    let purge = Purge { filter, limit: Some(2), dry_run: true };
    let counted = rig.purge(purge.clone()).await;
    assert_eq!((counted.progress.matched, counted.progress.done), (2, 0));
    assert_eq!(rig.parked().await, ids);
    let report = rig.purge(Purge { dry_run: false, ..purge }).await;
    assert_eq!((report.progress.matched, report.progress.done), (2, 2));
    let left: Vec<_> = [1, 2, 4, 5, 6, 7].map(|place: usize| ids[place]).into();
    assert_eq!(rig.parked().await, left);
    assert_eq!(rig.purge(Purge::default()).await.progress.done, 6);
    rig.holds(DEAD, 0).await;
    rig.holds(QUEUE, 0).await;
}

/// What was given back once comes before what was never taken: to look at only some must not turn the order round.
#[tokio::test]
async fn looking_at_some_keeps_the_order_of_all_however_often_it_is_done() {
    let rig = Rig::new().await;
    let ids = rig.park(letters(600)).await;
    for limit in [10, 3, 400, 7, 600, 5] {
        let seen = rig.letters.peek(QUEUE, &Filter::default(), limit).await.unwrap();
        let seen: Vec<_> = seen.iter().map(|letter| letter.message_id.clone().unwrap()).collect();
        let first: Vec<_> = ids.iter().take(limit).map(ToString::to_string).collect();
        assert_eq!(seen, first, "the first {limit}");
    }
    rig.redrive(Redrive { limit: Some(4), ..Redrive::default() }).await;
    assert_eq!(rig.parked().await, ids[4..]);
    assert_eq!(rig.waiting().await, ids[..4]);
}

#[tokio::test]
async fn a_rate_is_kept() {
    let rig = Rig::new().await;
    rig.park(letters(30)).await;
    let started = Instant::now();
    let mut times = Vec::new();
    let redrive = Redrive { rate: NonZeroU32::new(20), ..Redrive::default() };
    let report = rig.redrive_with(redrive, |progress| times.push((started.elapsed(), progress.done))).await;
    assert_eq!(report.progress, Progress { total: 30, seen: 30, matched: 30, done: 30, refused: 0 });
    // Two go together; what has gone by any moment is never more than the rate allows.
    for (time, done) in times {
        assert!(done as f64 <= time.as_secs_f64() * 20.0 + 2.0, "{done} after {time:?}");
    }
    assert!(report.took >= Duration::from_millis(1_350), "{:?}", report.took);
}
