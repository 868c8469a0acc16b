//! A store that is killed, and stays away for a while: nobody's attempt is spent on it, and it heals.

use serde_json::json;
use system_tests::Ask;
use testkit::eventually;

use crate::audit::audit;
use crate::load::Load;
use crate::server::Kind;
use crate::world::World;

const WRITES: usize = 2_000;

/// Kills a store under load and keeps it away until the load is over; the audit wants each task done at the first try.
async fn outage(store: Kind, role: &str) {
    let world = World::with(&[store]).await;
    let mut load = Load::start(&world.site);
    load.reaches(WRITES / 4).await;
    world.servers.private(store).kill9().await;
    load.reaches(WRITES).await;
    let writes = load.finish().await;
    eventually("the consumer waits for its store", async || {
        let health = world.site.read("/health").answer().await;
        (health.status == 503 && health.json()["dependencies"][role]["status"] == "down").then_some(())
    })
    .await;
    let waiting = world.servers.rabbit().queue_depth(role).await;
    assert!(waiting > 0, "nothing waits for the store");
    for queue in [format!("{role}.dead"), "retry.1s".to_owned()] {
        assert_eq!(world.servers.rabbit().queue_depth(&queue).await, 0, "{queue}");
    }
    world.servers.private(store).start().await;
    world.settled().await;
    audit(&world, &writes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_killed_under_load_loses_nothing_and_costs_no_attempt() {
    outage(Kind::Mysql, "insert_record").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodb_killed_under_load_loses_nothing_and_costs_no_attempt() {
    outage(Kind::Mongodb, "tasks").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_killed_under_load_loses_nothing_and_costs_no_attempt() {
    outage(Kind::Redis, "user_sessions").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_killed_under_load_refuses_writes_meanwhile_and_keeps_what_it_took() {
    let world = World::with(&[Kind::Postgres]).await;
    let postgres = world.servers.private(Kind::Postgres);
    let mut load = Load::start(&world.site);
    load.reaches(WRITES / 4).await;
    postgres.kill9().await;
    let record = json!({ "SRN": "refused", "Name": "Ada", "Section": "B" });
    world.site.post("/records", &record).answer().await.expect(503);
    postgres.start().await;
    load.reaches(WRITES).await;
    let writes = load.finish().await;
    world.settled().await;
    audit(&world, &writes).await;
}
