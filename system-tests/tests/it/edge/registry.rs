//! The registry is away for long, or forgets everything.

use std::time::Duration;

use redis::cmd;
use system_tests::{Ask, Site};
use testkit::eventually;

use super::Edge;
use crate::load::Failed;

const WRITES: usize = 100;
const READS: usize = 100;

/// More than the five seconds after which the registry does not blame the instances for silence.
const UNHEALTHY_AFTER: Duration = Duration::from_secs(6);

impl Edge {
    /// Waits until the last heartbeat that anybody has sent is too old to count.
    async fn all_are_silent(&self) {
        let redis = self.registrys_redis.connection().await;
        eventually("nobody has sent a heartbeat for too long", async || {
            let mut redis = redis.clone();
            let last: Vec<(String, f64)> = cmd("ZRANGE")
                .arg(&["registry:healthy", "-1", "-1", "WITHSCORES"])
                .query_async(&mut redis)
                .await
                .expect("Redis answers");
            let (seconds, micros): (u64, u64) = cmd("TIME").query_async(&mut redis).await.expect("Redis answers");
            let now = Duration::from_secs(seconds) + Duration::from_micros(micros);
            let last = Duration::from_millis(last.first().expect("there are instances").1 as u64);
            (now > last + UNHEALTHY_AFTER).then_some(())
        })
        .await;
    }

    async fn all_are_registered(&self) {
        eventually("the registry has all instances", async || {
            let answer = Site::behind(self.registry.base()).get("/services").answer().await;
            let services = (answer.status == 200).then(|| answer.json()["services"].clone())?;
            let healthy = |service: &str| {
                let instances = services[service].as_array().into_iter().flatten();
                instances.filter(|instance| instance["healthy"] == true).count()
            };
            (["producer", "consumer", "gateway"].map(healthy) == [2, 2, 2]).then_some(())
        })
        .await;
    }

    /// Waits until the registry has all instances, and those who call others follow it: both gateways and both consumers.
    async fn all_are_back(&self) {
        self.all_are_registered().await;
        eventually("all who call others follow the registry", async || {
            let metrics = Site::behind(self.registry.base()).get("/metrics").answer().await.body;
            metrics.lines().any(|line| line.starts_with("registry_watchers") && line.ends_with(" 4")).then_some(())
        })
        .await;
        self.known_to_gateways().await;
    }

    /// Takes everything from the registry's Redis.
    async fn empty_the_registry(&self) {
        let mut redis = self.registrys_redis.connection().await;
        let () = cmd("FLUSHDB").query_async(&mut redis).await.expect("Redis answers");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_notices_that_the_registry_is_away_for_long_and_has_then_forgotten_everything() {
    let unhealthy_after = UNHEALTHY_AFTER.as_secs().to_string();
    let settings =
        [("HEARTBEAT_EVERY", "1"), ("DISCOVERY_CACHE", "1"), ("REGISTRY_UNHEALTHY_AFTER", unhealthy_after.as_str())];
    let edge = Edge::start(&settings).await;
    let mut load = edge.load(Failed::Never);
    let (mut first, mut second) = (edge.readers(0), edge.readers(1));

    edge.registry.kill9().await;
    edge.all_are_silent().await;
    tokio::join!(load.goes_on(WRITES), first.go_on(READS), second.go_on(READS));
    edge.registry.start_again().await;
    edge.all_are_back().await;
    tokio::join!(load.goes_on(WRITES), first.go_on(READS), second.go_on(READS));

    edge.empty_the_registry().await;
    edge.all_are_back().await;
    tokio::join!(load.goes_on(WRITES), first.go_on(READS), second.go_on(READS));

    // What the gateways hear of is still used.
    edge.producers()[0].stop().await;
    tokio::join!(load.goes_on(WRITES), first.go_on(READS), second.go_on(READS));
    for readers in [first, second] {
        readers.end().await;
    }
    load.finish().await;
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_comes_back_without_its_data_soon_has_all_instances_again() {
    let edge = Edge::start(&[("HEARTBEAT_EVERY", "3"), ("DISCOVERY_CACHE", "1")]).await;
    let mut load = edge.load(Failed::Repeat);
    load.goes_on(WRITES).await;
    // Nobody is left who knows of the instances but they themselves.
    edge.registry.kill9().await;
    edge.empty_the_registry().await;
    edge.registry.start_again().await;
    edge.all_are_back().await;
    load.goes_on(WRITES).await;
    load.finish().await;
    edge.stop().await;
}
