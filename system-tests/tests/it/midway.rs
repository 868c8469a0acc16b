//! Killed at a chosen moment: while a batch is in its store, and after it is stored but before it is acked.

use sqlx::{Connection, MySqlConnection, MySqlPool};
use testkit::{eventually, proxy};

use crate::audit::audit;
use crate::load::Load;
use crate::server::{Kind, Servers};
use crate::world::World;

const WRITES: usize = 1_000;

/// Holds every write to the table of records up while it lives.
struct Held(MySqlConnection);

impl Held {
    async fn hold(servers: &Servers) -> Self {
        let mut connection = MySqlConnection::connect(servers.url(Kind::Mysql)).await.expect("MariaDB answers");
        sqlx::raw_sql("LOCK TABLES records READ").execute(&mut connection).await.expect("the test may lock");
        Self(connection)
    }

    /// Waits until somebody wants to write.
    async fn until_blocked(&self, pool: &MySqlPool) {
        let sql = "SELECT COUNT(*) FROM information_schema.processlist
                   WHERE db = DATABASE() AND state LIKE 'Waiting for table%lock'";
        eventually("a batch waits for its store", async || {
            let blocked: i64 = sqlx::query_scalar(sql).fetch_one(pool).await.expect("MariaDB answers");
            (blocked > 0).then_some(())
        })
        .await;
    }

    async fn release(mut self) {
        sqlx::raw_sql("UNLOCK TABLES").execute(&mut self.0).await.expect("MariaDB answers");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_killed_in_the_middle_of_a_batch_delivers_it_again_without_a_second_effect() {
    let world = World::with(&[Kind::Rabbitmq]).await;
    let (broker, mysql) = (world.servers.private(Kind::Rabbitmq), world.servers.mysql());
    let mut load = Load::start(&world.site);
    load.reaches(WRITES / 4).await;
    let held = Held::hold(&world.servers).await;
    let before = world.counters.written().await;
    held.until_blocked(&mysql).await;
    broker.kill9().await;
    held.release().await;
    eventually("the batch is stored", async || (world.counters.written().await > before).then_some(())).await;
    broker.start().await;
    load.reaches(WRITES).await;
    let writes = load.finish().await;
    world.settled().await;
    audit(&world, &writes).await;
    assert!(world.counters.redelivered().await > 0, "nothing was delivered again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_killed_between_the_stores_commit_and_the_ack_has_no_second_effect() {
    let servers = Servers::with(&[]).await;
    let proxy = proxy(servers.url(Kind::Rabbitmq)).await;
    let consumer = servers.consumer().await.env("AMQP_URL", &proxy.url_for(servers.url(Kind::Rabbitmq)));
    let producer = servers.producer();
    let world = World::of(servers, producer, consumer).await;
    let mysql = world.servers.mysql();

    let mut load = Load::start(&world.site);
    load.reaches(WRITES / 4).await;
    let held = Held::hold(&world.servers).await;
    let before = world.counters.written().await;
    held.until_blocked(&mysql).await;
    // Nothing the consumer says reaches the broker from here on, neither reports nor acks.
    proxy.blackhole().await;
    held.release().await;
    eventually("the batch is stored", async || (world.counters.written().await > before).then_some(())).await;
    world.consumer.kill9().await;
    proxy.restore().await;
    world.consumer.start_again().await;
    load.reaches(WRITES).await;
    let writes = load.finish().await;
    world.settled().await;
    audit(&world, &writes).await;
    assert!(world.counters.redelivered().await > 0, "nothing was delivered again");
}
