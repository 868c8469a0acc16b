//! A relay goes on where the last one stopped, or earlier, never later.

use std::sync::atomic::{AtomicUsize, Ordering};

use messaging::outbox::{ConfirmedHook, RelaySettings};
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Rig, Started, jobs};

fn small_pages() -> RelaySettings {
    RelaySettings { page_rows: 10, ..RelaySettings::default() }
}

/// After so many messages it never returns, and says so: the broker has confirmed, and nothing is recorded.
struct StopsAfter {
    left: AtomicUsize,
    stopped: CancellationToken,
}

impl ConfirmedHook for StopsAfter {
    async fn confirmed(&self, _: &mut PgConnection, ids: &[Uuid]) -> Result<(), sqlx::Error> {
        let left = self.left.load(Ordering::Relaxed).saturating_sub(ids.len());
        self.left.store(left, Ordering::Relaxed);
        if left == 0 {
            self.stopped.cancel();
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_relay_killed_between_confirm_and_record_repeats_what_was_in_flight_and_no_more() {
    let rig = Rig::new().await;
    let sent = rig.store(&jobs(1000)).await;
    let stopped = CancellationToken::new();
    let hook = StopsAfter { left: AtomicUsize::new(300), stopped: stopped.clone() };
    let relay = Started::start(rig.relay(small_pages()).on_confirmed(hook));
    stopped.cancelled().await;
    relay.kill().await;

    let relay = Started::start(rig.relay(small_pages()));
    rig.received_all(&sent.into_iter().collect()).await;
    relay.stop().await;
    let repeated: usize = rig.received().values().map(|times| times - 1).sum();
    assert!((10..=30).contains(&repeated), "{repeated} of 1000 were repeated, with three pages of 10 in flight");
}

#[tokio::test]
async fn a_page_ends_where_it_becomes_too_heavy_and_the_next_goes_on_there() {
    let rig = Rig::new().await;
    let sent = rig.store(&jobs(300)).await;
    // A body has 13 bytes, so pages of 3.
    let relay = Started::start(rig.relay(RelaySettings { page_bytes: 30, ..RelaySettings::default() }));
    rig.received_once(sent).await;
    let sent = rig.scalar::<i64>("SELECT count(*) FROM outbox.progress").await;
    assert!(sent > 10, "{sent} records are too few for pages that small");
    relay.stop().await;
}

#[tokio::test]
async fn pages_follow_one_another_where_transaction_ids_gain_a_digit() {
    let rig = Rig::new().await;
    let mut sent = rig.store(&jobs(15)).await;
    sqlx::raw_sql("UPDATE outbox.message SET xid = '99'").execute(rig.pool()).await.unwrap();
    sent.extend(rig.store(&jobs(15)).await);
    sqlx::raw_sql("UPDATE outbox.message SET xid = '100' WHERE xid <> '99'").execute(rig.pool()).await.unwrap();
    let relay = Started::start(rig.relay(small_pages()));
    rig.received_once(sent).await;
    relay.stop().await;
}

#[tokio::test]
async fn an_outbox_restored_into_another_cluster_skips_nothing() {
    let rig = Rig::new().await;
    let relay = rig.start();
    let sent = rig.store(&jobs(20)).await;
    rig.received_once(sent.iter().copied()).await;
    relay.stop().await;

    // As in a restored dump: transaction ids from a cluster that was far ahead, and rows not sent yet among them.
    let waiting = rig.store(&jobs(20)).await;
    sqlx::raw_sql(
        "UPDATE outbox.message SET xid = '99999999999';
         UPDATE outbox.progress SET cluster = cluster + 1, done = '99999999990:99999999995:'",
    )
    .execute(rig.pool())
    .await
    .unwrap();

    let relay = rig.start();
    rig.received_all(&waiting.into_iter().collect()).await;
    let new = rig.store(&jobs(20)).await;
    rig.received_all(&new.into_iter().collect()).await;
    assert!(sent.iter().all(|id| rig.received()[id] == 2), "those that had been sent are sent again");
    assert_eq!(rig.outbox.backlog().await.unwrap(), 0);
    relay.stop().await;
}

#[tokio::test]
async fn an_outbox_whose_progress_was_lost_sends_all_again() {
    let rig = Rig::new().await;
    let relay = rig.start();
    let sent = rig.store(&jobs(20)).await;
    rig.received_once(sent.iter().copied()).await;
    relay.stop().await;
    sqlx::raw_sql("TRUNCATE outbox.progress").execute(rig.pool()).await.unwrap();
    let relay = rig.start();
    testkit::eventually("all is sent again", || async {
        crate::support::when(sent.iter().all(|id| rig.received()[id] == 2))
    })
    .await;
    relay.stop().await;
}
