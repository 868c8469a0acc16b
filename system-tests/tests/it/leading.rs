//! Two producers share one outbox: one relays, and when it is killed the other does.

use std::time::Duration;

use system_tests::{Ask, Site};
use testkit::{eventually, eventually_within};

use crate::audit::audit;
use crate::load::Load;
use crate::server::Servers;
use crate::world::World;

/// A second to notice and take over, and as much again for a machine that is busy with other tests.
const TAKE_OVER_LIMIT: Duration = Duration::from_secs(2);

async fn leads(site: &Site) -> bool {
    let metrics = site.get("/metrics").answer().await.expect(200).body;
    metrics.lines().any(|line| line.starts_with("outbox_leader") && line.ends_with(" 1"))
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_producer_that_relays_is_killed_the_other_takes_over() {
    let servers = Servers::with(&[]).await;
    let second = servers.producer();
    let (producer, consumer) = (servers.producer(), servers.consumer().await);
    let world = World::of(servers, producer, consumer).await;
    eventually("the first one leads", async || leads(&world.site).await.then_some(())).await;
    let second = second.start().await;
    let other = Site::new(second.base(), world.consumer.base());
    assert!(!leads(&other).await);

    let mut load = Load::start(&other);
    load.reaches(500).await;
    world.producer.kill9().await;
    eventually_within(TAKE_OVER_LIMIT, "the other one leads", async || leads(&other).await.then_some(())).await;
    load.reaches(1_500).await;
    let writes = load.finish().await;
    world.settled().await;
    audit(&world, &writes).await;
}
