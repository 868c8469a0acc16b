//! A broker that comes back with nothing: the reconciler sends again what had not ended.

use crate::audit::audit;
use crate::load::Load;
use crate::server::{Kind, Servers};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn when_the_brokers_disk_is_wiped_under_writes_every_open_task_is_sent_again_and_has_one_effect() {
    let servers = Servers::with(&[Kind::Rabbitmq]).await;
    let consumer = servers.consumer().await;
    let producer = servers.producer().env("RECONCILE_AFTER", "3");
    let world = World::of(servers, producer, consumer).await;
    let (broker, postgres) = (world.servers.private(Kind::Rabbitmq), world.servers.postgres());
    let mut load = Load::start(&world.site);
    load.reaches(500).await;
    // From here on messages gather in the queues.
    world.consumer.kill9().await;
    load.reaches(1_500).await;
    let in_queues = "SELECT count(*) FROM tasks WHERE outcome IS NULL AND published_at IS NOT NULL";
    let lost: i64 = sqlx::query_scalar(in_queues).fetch_one(&postgres).await.expect("Postgres answers");
    assert!(lost > 100, "only {lost} messages were in the queues");

    // Writes go on, and what the relay then publishes finds neither queue nor exchange until they are declared again.
    broker.kill9().await;
    broker.wipe();
    broker.start().await;
    load.reaches(4_000).await;
    let writes = load.finish().await;
    world.consumer.start_again().await;
    world.settled().await;
    audit(&world, &writes).await;
    let sent_again = "SELECT count(*) FROM tasks WHERE republished > 0";
    let sent_again: i64 = sqlx::query_scalar(sent_again).fetch_one(&postgres).await.expect("Postgres answers");
    assert!(sent_again >= lost, "{sent_again} of {lost}");
}
