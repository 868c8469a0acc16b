//! A broker that comes back with nothing: the reconciler sends again what had not ended.

use testkit::eventually;

use crate::audit::audit;
use crate::load::Load;
use crate::server::{Kind, Servers};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn when_the_brokers_disk_is_wiped_every_open_task_is_sent_again_and_has_one_effect() {
    let servers = Servers::with(&[Kind::Rabbitmq]).await;
    let consumer = servers.consumer().await;
    let producer = servers.producer().env("RECONCILE_AFTER", "3");
    let world = World::of(servers, producer, consumer).await;
    let (broker, postgres) = (world.servers.private(Kind::Rabbitmq), world.servers.postgres());
    let mut load = Load::start(&world.site, 1_500);
    load.reaches(500).await;
    // From here on messages gather in the queues.
    world.consumer.kill9().await;
    let writes = load.end().await;
    let open = || async {
        let sql = "SELECT count(*) FILTER (WHERE published_at IS NULL), count(*) FROM tasks WHERE outcome IS NULL";
        sqlx::query_as::<_, (i64, i64)>(sql).fetch_one(&postgres).await.expect("Postgres answers")
    };
    eventually("all is published", async || (open().await.0 == 0).then_some(())).await;
    let (_, lost) = open().await;
    assert!(lost > 100, "only {lost} messages were in the queues");

    broker.kill9().await;
    broker.wipe();
    broker.start().await;
    world.consumer.start_again().await;
    world.settled().await;
    audit(&world, &writes).await;
    let sent_again = "SELECT count(*) FROM tasks WHERE republished > 0";
    let sent_again: i64 = sqlx::query_scalar(sent_again).fetch_one(&postgres).await.expect("Postgres answers");
    assert!(sent_again >= lost, "{sent_again} of {lost}");
}
