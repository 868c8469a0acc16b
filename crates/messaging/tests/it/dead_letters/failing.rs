//! What goes wrong while dead letters are redriven.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

use messaging::dead_letters::{Filter, Progress, Redrive};
use messaging::{Outcome, Outgoing};
use serde_json::json;
use testkit::{eventually, private_rabbitmq, proxy};
use tokio_util::sync::CancellationToken;

use super::{DEAD, Rig, letter, letters};
use crate::support::{Notes, QUEUE, Running, broker, job, when};

#[tokio::test]
async fn a_redrive_that_dies_between_confirm_and_ack_loses_nothing_and_is_run_again() {
    let rig = Rig::new().await;
    let ids = rig.park(letters(100)).await;
    let letters = rig.letters.clone();
    // Progress is told when messages are confirmed and not yet acked.
    let killed = tokio::spawn(async move {
        let stop = CancellationToken::new();
        letters.redrive(QUEUE, &Redrive::default(), &stop, |_| panic!("killed")).await
    });
    assert!(killed.await.unwrap_err().is_panic());
    rig.holds(DEAD, 100).await;
    assert_eq!(rig.parked().await, ids, "none of them was acked");
    let on_the_wire = rig.waiting().await;
    assert!(!on_the_wire.is_empty() && on_the_wire.iter().all(|id| ids.contains(id)), "{on_the_wire:?}");

    let report = rig.redrive(Redrive::default()).await;
    assert_eq!((report.progress.done, report.interrupted), (100, None));
    rig.holds(DEAD, 0).await;
    rig.holds(QUEUE, 100 + on_the_wire.len() as u64).await;
    let waiting: HashSet<_> = rig.waiting().await.into_iter().collect();
    assert_eq!(waiting, ids.into_iter().collect(), "the same ids, so that each takes effect once");
}

#[tokio::test]
async fn what_its_queue_does_not_take_stays_parked() {
    let rig = Rig::new().await;
    rig.rabbit.set_policy("full", "^work$", json!({ "max-length": 3, "overflow": "reject-publish" })).await;
    eventually("the queue is full", || async {
        let probe = Outgoing::raw("", QUEUE, "job", r#"{"will":"ok"}"#);
        when(rig.broker.publisher().publish(probe).await == Outcome::Nacked)
    })
    .await;
    rig.rabbit.take(QUEUE, 100).await;
    let ids = rig.park(letters(200)).await;
    let report = rig.redrive(Redrive::default()).await;
    let reason = report.interrupted.expect("it could not go on");
    assert_eq!(reason, "`work` did not take a message: the broker would not take it");
    assert!(report.progress.done < 200, "{report:?}", report = report.progress);
    let (parked, waiting) = (rig.parked().await, rig.waiting().await);
    assert_eq!(waiting.len() as u64, report.progress.done);
    assert_eq!(parked.len() as u64, 200 - report.progress.done);
    let everywhere: HashSet<_> = parked.iter().chain(&waiting).copied().collect();
    assert_eq!(everywhere, ids.into_iter().collect(), "each is in one place or the other");
}

#[tokio::test]
async fn a_queue_that_is_gone_keeps_its_dead_letters() {
    let rig = Rig::new().await;
    let ids = rig.park(letters(20)).await;
    rig.rabbit.delete_queue(QUEUE).await;
    let report = rig.redrive(Redrive::default()).await;
    assert!(report.interrupted.unwrap().contains("no queue is bound"), "it says why");
    assert_eq!(report.progress.done, 0);
    assert_eq!(rig.parked().await, ids);
    eventually("the queue was declared again, and the redrive goes through", || async {
        rig.redrive(Redrive::default()).await;
        when(rig.waiting().await.into_iter().collect::<HashSet<_>>() == ids.iter().copied().collect())
    })
    .await;
}

#[tokio::test]
async fn what_fails_again_comes_back_and_is_not_redriven_in_a_circle() {
    let rig = Rig::new().await;
    let notes = Notes::default();
    let failing: Vec<_> = (0..40).map(|_| job("reject").with_header("x-dead-reason", "never")).collect();
    let ids = rig.park(failing).await;
    let consumer = Running::start(&rig.broker, &notes);
    // So slow that those that fail are back while the others are still being redriven.
    let report = rig.redrive(Redrive { rate: NonZeroU32::new(50), ..Redrive::default() }).await;
    assert_eq!(report.progress, Progress { total: 40, seen: 40, matched: 40, done: 40, refused: 0 });
    rig.holds(DEAD, 40).await;
    consumer.stop().await;
    assert!(ids.iter().all(|id| notes.times(*id) == 1), "each was tried once more");
}

/// With passes of no length each message is given back and taken again, among those that have failed again meanwhile.
#[tokio::test]
async fn a_run_that_gives_back_what_it_held_for_long_still_sends_each_once() {
    let rig = Rig::new().await;
    let kept = rig.park((0..5).map(|_| letter("keep"))).await;
    let failing = (0..30).map(|_| job("reject").with_header("x-dead-reason", "never"));
    let ids = rig.park(failing).await;
    let notes = Notes::default();
    let consumer = Running::start(&rig.broker, &notes);
    let letters = rig.letters.clone().hold_at_most(Duration::from_millis(100));
    let filter = Filter { reason: Some("never".to_owned()), ..Filter::default() };
    let redrive = Redrive { filter, rate: NonZeroU32::new(20), ..Redrive::default() };
    let report = letters.redrive(QUEUE, &redrive, &CancellationToken::new(), |_| {}).await.unwrap();
    assert_eq!((report.progress.done, report.interrupted), (30, None));
    rig.holds(DEAD, 35).await;
    consumer.stop().await;
    assert!(ids.iter().all(|id| notes.times(*id) == 1), "each was tried once more");
    assert_eq!(rig.parked().await[..5], kept, "what was not meant is still the first");
}

#[tokio::test]
async fn two_redrives_at_once_share_the_work() {
    let rig = Rig::new().await;
    let ids = rig.park(letters(800)).await;
    let (one, two) = tokio::join!(rig.redrive(Redrive::default()), rig.redrive(Redrive::default()));
    assert_eq!((one.interrupted, two.interrupted), (None, None));
    assert_eq!(one.progress.done + two.progress.done, 800, "{:?} {:?}", one.progress, two.progress);
    rig.holds(DEAD, 0).await;
    let mut waiting = rig.waiting().await;
    waiting.sort();
    let mut ids = ids;
    ids.sort();
    assert_eq!(waiting, ids, "each once");
}

#[tokio::test]
async fn a_run_ends_when_it_is_told_to_and_gives_back_the_rest() {
    let rig = Rig::new().await;
    let ids = rig.park(letters(300)).await;
    let stop = CancellationToken::new();
    let redrive = Redrive { rate: NonZeroU32::new(100), ..Redrive::default() };
    let report = rig
        .letters
        .redrive(QUEUE, &redrive, &stop, |progress| {
            if progress.done >= 20 {
                stop.cancel();
            }
        })
        .await
        .unwrap();
    assert_eq!(report.interrupted.as_deref(), Some("it was told to stop"));
    let done = usize::try_from(report.progress.done).unwrap();
    assert!((20..=30).contains(&done), "{done}");
    assert_eq!(rig.parked().await, ids[done..]);
    assert_eq!(rig.waiting().await, ids[..done]);
}

#[tokio::test]
async fn a_broker_that_is_cut_off_ends_the_run_with_its_figures() {
    let rig = Rig::new().await;
    let ids = rig.park(letters(200)).await;
    let proxy = proxy(rig.rabbit.url()).await;
    let broker = broker(&proxy.url_for(rig.rabbit.url())).await;
    let letters = broker.dead_letters();
    let (cut, wanted) = tokio::sync::oneshot::channel();
    let mut cut = Some(cut);
    let redrive = Redrive { rate: NonZeroU32::new(50), ..Redrive::default() };
    let stop = CancellationToken::new();
    // A run that ends too early takes the sender with it, so that nobody waits for ever.
    let run = letters.redrive(QUEUE, &redrive, &stop, move |progress| {
        if progress.done >= 10
            && let Some(cut) = cut.take()
        {
            cut.send(()).expect("somebody waits for it");
        }
    });
    let cutting = async {
        wanted.await.expect("it gets so far");
        proxy.cut().await;
    };
    let (report, ()) = tokio::join!(run, cutting);
    let report = report.unwrap();
    assert!(report.interrupted.is_some() && report.progress.done >= 10, "{report:?}");
    assert!(letters.list().await.is_err(), "nothing can be known of a broker that is away");

    rig.redrive(Redrive::default()).await;
    let waiting: HashSet<_> = rig.waiting().await.into_iter().collect();
    assert_eq!(waiting, ids.into_iter().collect(), "nothing is lost");
}

#[tokio::test]
async fn a_message_that_the_broker_will_never_take_stays_and_holds_up_no_other() {
    let server = private_rabbitmq().await;
    let before = broker(server.url()).await;
    let dead = |body: String| Outgoing::raw("", DEAD, "job", body);
    let large = dead(format!(r#"{{"will":"{}"}}"#, "x".repeat(200_000)));
    let parked = [dead("{}".to_owned()), large.clone(), dead("{}".to_owned())];
    let outcomes = before.publisher().publish_in_order(parked).await;
    assert_eq!(outcomes, [Outcome::Confirmed, Outcome::Confirmed, Outcome::Confirmed]);
    // Channels that are opened from now on take no more than this.
    server.rabbitmqctl(&["eval", "application:set_env(rabbit, max_message_size, 100000)."]).await;
    let letters = broker(server.url()).await.dead_letters();
    let report = letters.redrive(QUEUE, &Redrive::default(), &CancellationToken::new(), |_| {}).await.unwrap();
    assert_eq!(report.progress, Progress { total: 3, seen: 3, matched: 3, done: 2, refused: 1 });
    let left = letters.peek(QUEUE, &Filter::default(), 10).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].message_id.clone(), left[0].size), (Some(large.id.to_string()), large.body.len()));
    assert_eq!(left[0].body.len(), 64 * 1024, "only so much of it is shown");
}
