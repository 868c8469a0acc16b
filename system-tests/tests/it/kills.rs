//! Everything is killed, one after another or all at once, while writes go on.

use futures_util::future::join_all;

use crate::audit::audit;
use crate::load::Load;
use crate::server::Kind;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_during_ten_thousand_writes_none_is_lost_and_none_doubled() {
    let world = World::with(&[Kind::Rabbitmq]).await;
    let broker = world.servers.private(Kind::Rabbitmq);
    let mut load = Load::start(&world.site);
    load.reaches(1_000).await;
    world.producer.kill9().await;
    world.producer.start_again().await;
    load.reaches(2_500).await;
    world.consumer.kill9().await;
    world.consumer.start_again().await;
    load.reaches(4_000).await;
    tokio::join!(world.producer.kill9(), world.consumer.kill9());
    tokio::join!(world.producer.start_again(), world.consumer.start_again());
    load.reaches(6_000).await;
    broker.kill9().await;
    // While the broker is away writes are accepted, and the producer that has them is killed too.
    tokio::join!(broker.start(), async {
        load.reaches(8_000).await;
        world.producer.kill9().await;
        world.producer.start_again().await;
    });
    load.reaches(10_000).await;
    let writes = load.finish().await;
    assert!(writes.len() >= 10_000, "only {} writes", writes.len());
    world.settled().await;
    audit(&world, &writes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_killed_and_started_at_once_heals_alone() {
    let world = World::with(&Kind::ALL).await;
    let mut load = Load::start(&world.site);
    load.reaches(800).await;
    let servers = Kind::ALL.map(|kind| world.servers.private(kind));
    tokio::join!(world.producer.kill9(), world.consumer.kill9(), join_all(servers.map(|server| server.kill9())));
    // The programs come up before what they need.
    tokio::join!(
        world.producer.start_unready(),
        world.consumer.start_unready(),
        join_all(servers.map(|server| server.start()))
    );
    tokio::join!(world.producer.ready(), world.consumer.ready());
    load.reaches(2_000).await;
    let writes = load.finish().await;
    world.settled().await;
    audit(&world, &writes).await;
}
