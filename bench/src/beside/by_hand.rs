//! The three steps that a write cannot do without, one after another over idle connections: a commit in Postgres, a
//! confirmed message, a commit in MariaDB. What Warren's path takes beyond them is its own.

use std::time::Instant;

use anyhow::{Context, ensure};
use messaging::{Outcome, Outgoing};
use sqlx::Connection;

use crate::load::Latencies;
use crate::measure::queue::{BODY, EXCHANGE, Queue, ROUTING_KEY};
use crate::stage::Stage;

const DATABASE: &str = "by_hand";
const POSTGRES_TABLE: &str = "CREATE TABLE step (id bigserial PRIMARY KEY, body text NOT NULL)";
const MARIADB_TABLE: &str =
    "CREATE TABLE IF NOT EXISTS bench_step (id BIGINT AUTO_INCREMENT PRIMARY KEY, body TEXT NOT NULL)";

/// How long the three take, so many times.
pub(crate) async fn steps(stage: &Stage, queue: &Queue, times: usize) -> anyhow::Result<Latencies> {
    let postgres = stage.fresh_database(DATABASE).await?;
    sqlx::raw_sql(POSTGRES_TABLE).execute(&postgres).await?;
    let mut mariadb = stage.records().await?;
    sqlx::raw_sql(MARIADB_TABLE).execute(&mut mariadb).await?;
    queue.empty(stage).await?;
    let publisher = queue.broker.publisher();

    let mut latencies = Latencies::default();
    // The first few open connections and prepare statements.
    for time in 0..times + 20 {
        let begun = Instant::now();
        sqlx::query("INSERT INTO step (body) VALUES ($1)").bind(BODY).execute(&postgres).await.context("Postgres")?;
        let outcome = publisher.publish(Outgoing::raw(EXCHANGE, ROUTING_KEY, ROUTING_KEY, BODY)).await;
        ensure!(outcome == Outcome::Confirmed, "the broker did not take a message: {outcome}");
        sqlx::query("INSERT INTO bench_step (body) VALUES (?)")
            .bind(BODY)
            .execute(&mut mariadb)
            .await
            .context("MariaDB")?;
        if time >= 20 {
            latencies.record(begun.elapsed());
        }
    }
    mariadb.close().await?;
    postgres.close().await;
    Ok(latencies)
}
