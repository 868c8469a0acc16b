//! What a program adds to the relay is done as promised.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use messaging::outbox::{ConfirmedHook, LeaderTask, Outbox, RelaySettings};
use sqlx::PgConnection;
use testkit::eventually;
use uuid::Uuid;

use super::{Rig, Started, jobs};
use crate::support::{job, when};

const MARKS: &str = "CREATE TABLE mark (id uuid PRIMARY KEY)";

/// Marks messages as sent, after some failures.
struct Marks {
    failures: AtomicUsize,
}

impl ConfirmedHook for Marks {
    async fn confirmed(&self, connection: &mut PgConnection, ids: &[Uuid]) -> Result<(), sqlx::Error> {
        sqlx::query("INSERT INTO mark SELECT unnest($1::uuid[])").bind(ids).execute(&mut *connection).await?;
        if self.failures.load(Ordering::Relaxed) > 0 {
            self.failures.fetch_sub(1, Ordering::Relaxed);
            sqlx::query("SELECT 1 / 0").execute(connection).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_hook_that_fails_is_called_again_and_nothing_is_published_again_for_it() {
    let rig = Rig::new().await;
    sqlx::raw_sql(MARKS).execute(rig.pool()).await.unwrap();
    let relay = rig.relay(RelaySettings::default()).on_confirmed(Marks { failures: AtomicUsize::new(3) });
    let relay = Started::start(relay);
    let sent = rig.store(&jobs(100)).await;
    rig.eventually_true("all are marked", "SELECT count(*) = 100 FROM mark").await;
    rig.received_once(sent.iter().copied()).await;
    let marked: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM mark ORDER BY id").fetch_all(rig.pool()).await.unwrap();
    let mut sent = sent;
    sent.sort();
    assert_eq!(marked, sent);
    relay.stop().await;
}

#[tokio::test]
async fn a_message_is_marked_only_when_it_is_confirmed() {
    let rig = Rig::new().await;
    sqlx::raw_sql(MARKS).execute(rig.pool()).await.unwrap();
    let settings = RelaySettings { retry_first: Duration::from_millis(100), ..RelaySettings::default() };
    let relay = Started::start(rig.relay(settings).on_confirmed(Marks { failures: AtomicUsize::new(0) }));
    let mut later = job("ok");
    later.routing_key = "later".to_owned();
    rig.store(&[later]).await;
    eventually("the message is parked", || async { rig.outbox.parked(1).await.unwrap().pop() }).await;
    assert_eq!(rig.scalar::<i64>("SELECT count(*) FROM mark").await, 0);
    rig.rabbit.bind(crate::support::QUEUE, crate::support::EXCHANGE, "later").await;
    rig.eventually_true("it is marked", "SELECT count(*) = 1 FROM mark").await;
    relay.stop().await;
}

/// Stores a message each time, and fails every other time.
struct Stores {
    outbox: Outbox,
    runs: Arc<AtomicUsize>,
}

impl LeaderTask for Stores {
    async fn run(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.outbox.enqueue(connection, &jobs(1)).await?;
        if self.runs.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
            sqlx::query("SELECT 1 / 0").execute(connection).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_job_runs_only_where_the_leader_is_and_its_failures_undo_only_itself() {
    let rig = Rig::new().await;
    let runs = [Arc::<AtomicUsize>::default(), Arc::default()];
    let relay = |runs: &Arc<AtomicUsize>| {
        let stores = Stores { outbox: rig.outbox.clone(), runs: Arc::clone(runs) };
        Started::start(rig.relay(RelaySettings::default()).while_leading(Duration::from_millis(20), stores))
    };
    let relays = runs.each_ref().map(relay);
    let both = || runs.each_ref().map(|runs| runs.load(Ordering::Relaxed));
    eventually("the job ran many times", || async { when(both().iter().sum::<usize>() >= 20) }).await;
    for relay in relays {
        relay.stop().await;
    }
    let counts = both();
    assert!(counts.contains(&0) || counts[0].min(counts[1]) < 20, "both ran it: {counts:?}");
    let stored: i64 = rig.scalar("SELECT last_value FROM outbox.message_seq").await;
    eventually("the successful half was sent", || async {
        let sent = rig.received().len();
        when(sent >= 9 && sent < usize::try_from(stored).unwrap())
    })
    .await;
}
