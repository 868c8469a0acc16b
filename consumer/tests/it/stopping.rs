//! Stopped or killed in the middle of work: what was done is not done again, and nothing is lost.

use serde_json::json;
use sqlx::MySqlPool;
use testkit::{Program, eventually, free_port};

use super::support::{Servers, holds, insert};

const RECORDS: i64 = 3000;

/// The consumer as a process of its own, with small batches, so that there is always one in the middle.
pub(crate) async fn program(servers: &Servers, roles: &[&str]) -> (Program, String) {
    let port = free_port();
    let mut program = Program::cargo_bin("consumer")
        .arg("--listen")
        .arg(format!("127.0.0.1:{port}"))
        .arg("--batch")
        .arg(20)
        .arg("--prefetch")
        .arg(100);
    for (name, value) in servers.arguments() {
        program = program.arg(name).arg(value);
    }
    for role in roles {
        program = program.arg(role);
    }
    (program, format!("http://127.0.0.1:{port}"))
}

async fn publish(servers: &Servers) {
    let broker = consumer::connect_broker(&servers.config(&["insert_record"])).await.expect("the broker is there");
    let outcomes = broker.publisher().publish_all((0..RECORDS).map(|i| insert(&format!("S{i}"), "Ada", 1))).await;
    assert!(outcomes.iter().all(|outcome| *outcome == messaging::Outcome::Confirmed));
    broker.close().await;
}

async fn stored(pool: &MySqlPool) -> i64 {
    sqlx::query_scalar("SELECT COUNT(*) FROM records").fetch_one(pool).await.unwrap_or(0)
}

/// Each write of a row, also one that changes nothing: so a redelivery is seen.
async fn count_writes(pool: &MySqlPool) {
    for sql in [
        "CREATE TABLE writes (srn VARCHAR(255) COLLATE utf8mb4_bin)",
        "CREATE TRIGGER inserted AFTER INSERT ON records FOR EACH ROW INSERT INTO writes VALUES (NEW.srn)",
        "CREATE TRIGGER updated BEFORE UPDATE ON records FOR EACH ROW INSERT INTO writes VALUES (NEW.srn)",
    ] {
        sqlx::raw_sql(sql).execute(pool).await.expect("the test may count");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_under_load_it_finishes_its_batch_and_nothing_done_comes_again() {
    let servers = Servers::new().await;
    servers.stores().await;
    let pool = servers.mysql.pool();
    count_writes(pool).await;
    publish(&servers).await;
    let (program, url) = program(&servers, &["insert_record"]).await;
    let program = program.start().await;
    program.wait_ready(&format!("{url}/ready")).await;
    eventually("it is in the middle of it", || async { (stored(pool).await > 100).then_some(()) }).await;
    assert_eq!(program.sigterm().await, 0, "{}", program.logs());

    let done = stored(pool).await;
    assert!(done < RECORDS, "it was stopped too late for this test to mean anything");
    // What is done is acked, the rest waits.
    holds(&servers.rabbit, "insert_record", u64::try_from(RECORDS - done).unwrap()).await;

    program.start_again().await;
    eventually("the rest is done", || async { (stored(pool).await == RECORDS).then_some(()) }).await;
    assert_eq!(program.sigterm().await, 0, "{}", program.logs());
    let writes: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM writes").fetch_one(pool).await.unwrap();
    assert_eq!(writes, RECORDS, "a record was written twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_under_load_it_loses_nothing_and_no_effect_happens_twice() {
    let servers = Servers::new().await;
    servers.stores().await;
    let pool = servers.mysql.pool();
    sqlx::raw_sql("CREATE TABLE changes (srn VARCHAR(255) COLLATE utf8mb4_bin)").execute(pool).await.unwrap();
    sqlx::raw_sql("CREATE TRIGGER inserted AFTER INSERT ON records FOR EACH ROW INSERT INTO changes VALUES (NEW.srn)")
        .execute(pool)
        .await
        .unwrap();
    sqlx::raw_sql(
        "CREATE TRIGGER updated AFTER UPDATE ON records FOR EACH ROW INSERT INTO changes SELECT NEW.srn \
         WHERE NEW.version <> OLD.version OR NEW.updated_at <> OLD.updated_at",
    )
    .execute(pool)
    .await
    .unwrap();
    publish(&servers).await;
    let (program, url) = program(&servers, &["insert_record"]).await;
    let program = program.start().await;
    for round in 1..=3 {
        program.wait_ready(&format!("{url}/ready")).await;
        let enough = round * RECORDS / 5;
        eventually("some more is done", || async { (stored(pool).await > enough).then_some(()) }).await;
        program.kill9().await;
        program.start_again().await;
    }
    eventually("all is done", || async { (stored(pool).await == RECORDS).then_some(()) }).await;
    eventually("all is acked", || async { (servers.rabbit.queue_depth("insert_record").await == 0).then_some(()) })
        .await;
    assert_eq!(program.sigterm().await, 0);
    let changes: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM changes").fetch_one(pool).await.unwrap();
    assert_eq!(changes, RECORDS);
    assert_eq!(servers.rabbit.queue_depth("insert_record.dead").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_while_its_store_is_down_it_stops_in_time() {
    let servers = Servers::new().await;
    let proxy = testkit::proxy(servers.mysql.url()).await;
    let url = proxy.url_for(servers.mysql.url());
    let servers = servers.with("--mysql-url", url);
    let (program, url) = program(&servers, &["insert_record"]).await;
    let program = program.start().await;
    program.wait_ready(&format!("{url}/ready")).await;
    proxy.blackhole().await;
    let body = json!({ "Name": "Ada", "SRN": "S1", "Section": "B" }).to_string();
    servers.rabbit.publish("commands", "insert_record", json!({}), body).await;
    eventually("it has taken the message", || async { program.logs().contains("consuming pauses").then_some(()) })
        .await;
    assert_eq!(program.sigterm().await, 0, "{}", program.logs());
    holds(&servers.rabbit, "insert_record", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_that_start_at_the_same_moment_share_the_migrations() {
    let servers = Servers::new().await;
    let connecting = (0..4).map(|_| servers.stores());
    futures_util::future::join_all(connecting).await;
    assert_eq!(stored(servers.mysql.pool()).await, 0);
}
