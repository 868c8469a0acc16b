//! The table stays small, and nothing is truncated away.

use std::time::Duration;

use messaging::outbox::RelaySettings;
use testkit::proxy;

use super::{Rig, Started, ids, jobs};
use crate::support::{broker, job};

const SMALL: u32 = 200;

fn small_segments() -> RelaySettings {
    RelaySettings { segment_rows: SMALL, ..RelaySettings::default() }
}

const ROTATED: &str = "SELECT last_value <> 0 FROM outbox.current_segment";
const FIRST_IS_EMPTY: &str = "SELECT NOT EXISTS (SELECT FROM outbox.message WHERE segment = 0)";

#[tokio::test]
async fn the_table_stays_small_while_another_session_holds_an_old_snapshot() {
    let rig = Rig::new().await;
    let relay = Started::start(rig.relay(small_segments()));
    let mut old = rig.pool().begin().await.unwrap();
    sqlx::raw_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1").execute(&mut *old).await.unwrap();

    let mut sent = Vec::new();
    for _ in 0..10 {
        sent.extend(rig.store(&jobs(SMALL as usize)).await);
        rig.received_once(sent.iter().copied()).await;
        rig.eventually_true("what was sent is truncated", "SELECT count(*) <= 200 FROM outbox.message").await;
    }
    let on_disk: i64 =
        rig.scalar("SELECT sum(pg_relation_size(relid))::bigint FROM pg_partition_tree('outbox.message')").await;
    assert!(on_disk < 300 * 1024, "the segments take {on_disk} bytes");
    old.commit().await.unwrap();
    relay.stop().await;
}

#[tokio::test]
async fn a_writer_that_read_the_old_segment_before_a_switch_is_sent_and_never_truncated_away() {
    let rig = Rig::new().await;
    // Its transaction is older than all that happens, and it knows of segment 0 only.
    let mut writer = rig.pool().begin().await.unwrap();
    sqlx::raw_sql("SELECT pg_current_xact_id()").execute(&mut *writer).await.unwrap();
    let mut sent = rig.store(&jobs(SMALL as usize)).await;

    let relay = Started::start(rig.relay(small_segments()));
    rig.eventually_true("the segment is switched", ROTATED).await;
    rig.eventually_true("the old segment is empty", FIRST_IS_EMPTY).await;

    let straggler = job("ok");
    let into_the_old = "
        INSERT INTO outbox.message (segment, id, exchange, routing_key, kind, headers, body)
        VALUES (0, $1, $2, $3, $4, '{}', $5)";
    sqlx::query(into_the_old)
        .bind(straggler.id)
        .bind(&straggler.exchange)
        .bind(&straggler.routing_key)
        .bind(&straggler.kind)
        .bind(&*straggler.body)
        .execute(&mut *writer)
        .await
        .unwrap();
    // While it is open the relay goes on, and through several switches.
    for _ in 0..3 {
        sent.extend(rig.store(&jobs(SMALL as usize)).await);
        rig.received_once(sent.iter().copied()).await;
    }
    writer.commit().await.unwrap();
    sent.push(straggler.id);
    rig.received_once(sent).await;
    rig.eventually_true("the old segment is emptied again", FIRST_IS_EMPTY).await;
    relay.stop().await;
}

#[tokio::test]
async fn what_was_sent_does_not_lie_there_for_ever_however_little_comes() {
    let rig = Rig::new().await;
    let settings = RelaySettings { segment_for: Duration::from_millis(300), ..RelaySettings::default() };
    let relay = Started::start(rig.relay(settings));
    let sent = rig.store(&jobs(1)).await;
    rig.received_once(sent).await;
    rig.eventually_true("what was sent is truncated", "SELECT NOT EXISTS (SELECT FROM outbox.message)").await;
    relay.stop().await;
}

#[tokio::test]
async fn nothing_is_truncated_while_the_broker_is_away() {
    let rig = Rig::new().await;
    let proxy = proxy(rig.rabbit.url()).await;
    let cuttable = broker(&proxy.url_for(rig.rabbit.url())).await;
    let relay = Started::start(rig.outbox.relay(cuttable.publisher(), small_segments()));
    let mut sent = rig.store(&jobs(10)).await;
    rig.received_once(sent.iter().copied()).await;

    proxy.cut().await;
    for _ in 0..5 {
        let messages = jobs(SMALL as usize);
        sent.extend(ids(&messages));
        rig.store(&messages).await;
    }
    rig.eventually_true("the segment is switched", ROTATED).await;
    assert!(rig.scalar::<i64>("SELECT count(*) FROM outbox.message").await >= 5 * i64::from(SMALL));

    proxy.restore().await;
    rig.received_all(&sent.into_iter().collect()).await;
    rig.eventually_true("what was sent is truncated", FIRST_IS_EMPTY).await;
    relay.stop().await;
}
