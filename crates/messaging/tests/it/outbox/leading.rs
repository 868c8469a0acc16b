//! One relay leads; when it is gone or falls silent another does.

use std::time::Duration;

use messaging::outbox::{Outbox, RelaySettings};
use sqlx::postgres::PgPoolOptions;
use testkit::{eventually, eventually_within, proxy};

use super::{Rig, Started, jobs};

const LEADER: &str = "
    SELECT pid FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

impl Rig {
    async fn leader(&self) -> Option<i32> {
        sqlx::query_scalar(LEADER).fetch_optional(self.pool()).await.expect("the query is valid")
    }
}

#[tokio::test]
async fn when_the_leader_loses_its_session_another_leads_within_a_second_and_nothing_is_lost() {
    let rig = Rig::new().await;
    let relays = [rig.start(), rig.start()];
    let mut sent = Vec::new();
    for _ in 0..5 {
        let leader = eventually("one leads", || rig.leader()).await;
        sent.extend(rig.store(&jobs(2000)).await);
        sqlx::query("SELECT pg_terminate_backend($1)").bind(leader).execute(rig.pool()).await.unwrap();
        eventually_within(Duration::from_secs(1), "another leads", || async {
            rig.leader().await.filter(|now| *now != leader)
        })
        .await;
        sent.extend(rig.store(&jobs(10)).await);
    }
    rig.received_all(&sent.into_iter().collect()).await;
    for relay in relays {
        relay.stop().await;
    }
}

#[tokio::test]
async fn a_stopped_leader_hands_over_and_sends_nothing_twice() {
    let rig = Rig::new().await;
    let first = rig.start();
    eventually("one leads", || rig.leader()).await;
    let second = rig.start();
    let mut sent = rig.store(&jobs(3000)).await;
    first.stop().await;
    sent.extend(rig.store(&jobs(10)).await);
    rig.received_once(sent).await;
    second.stop().await;
}

/// As after SIGSTOP, or when its host is cut off: the connection stands and says nothing.
#[tokio::test]
async fn a_leader_that_falls_silent_loses_the_lead() {
    let rig = Rig::new().await;
    let proxy = proxy(rig.postgres.url()).await;
    let pool = PgPoolOptions::new().connect_lazy(&proxy.url_for(rig.postgres.url())).expect("the URL is valid");
    let silent_for = Duration::from_secs(1);
    let settings = RelaySettings { silent_for, ..RelaySettings::default() };
    let silent = Started::start(Outbox::new(pool).relay(rig.broker.publisher(), settings));
    let leader = eventually("one leads", || rig.leader()).await;
    let other = rig.start();

    proxy.blackhole().await;
    let sent = rig.store(&jobs(100)).await;
    eventually_within(silent_for + Duration::from_secs(2), "another leads", || async {
        rig.leader().await.filter(|now| *now != leader)
    })
    .await;
    rig.received_all(&sent.into_iter().collect()).await;

    // The old one finds itself deposed, and follows.
    proxy.restore().await;
    other.stop().await;
    let sent = rig.store(&jobs(100)).await;
    rig.received_all(&sent.into_iter().collect()).await;
    silent.stop().await;
}

#[tokio::test]
async fn a_relay_waits_for_a_database_that_is_not_there_yet() {
    let rig = Rig::new().await;
    let proxy = proxy(rig.postgres.url()).await;
    proxy.cut().await;
    let pool = PgPoolOptions::new().connect_lazy(&proxy.url_for(rig.postgres.url())).expect("the URL is valid");
    let relay = Started::start(Outbox::new(pool).relay(rig.broker.publisher(), RelaySettings::default()));
    let sent = rig.store(&jobs(10)).await;
    proxy.restore().await;
    rig.received_once(sent).await;
    relay.stop().await;
}
