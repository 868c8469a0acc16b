//! The write side: the state, and the tasks.

use std::collections::BTreeSet;

use sqlx::PgPool;
use uuid::Uuid;

use super::expected::Expected;
use super::{Findings, State, States};

pub(super) async fn records(pool: &PgPool) -> States {
    states(pool, "SELECT srn, version, name FROM records").await
}

pub(super) async fn users(pool: &PgPool) -> States {
    states(pool, "SELECT id::text, version, name FROM users").await
}

async fn states(pool: &PgPool, sql: &'static str) -> States {
    let rows: Vec<(String, i64, Option<String>)> = sqlx::query_as(sql).fetch_all(pool).await.expect("the tables exist");
    rows.into_iter().map(|(key, version, name)| (key, State { version, name })).collect()
}

/// Each task is done, at the first try of each of its steps; there is one for each accepted write, and at most one for each
/// of those that nobody knows the fate of.
pub(super) async fn tasks(pool: &PgPool, expected: &Expected, found: &mut Findings) {
    let sql = "SELECT id, kind, outcome,
                      (SELECT max((step->>'attempts')::int) FROM jsonb_array_elements(steps) step) FROM tasks";
    let tasks: Vec<(Uuid, String, Option<String>, Option<i32>)> =
        sqlx::query_as(sql).fetch_all(pool).await.expect("the table exists");
    let mut others = 0;
    for (id, kind, outcome, attempts) in &tasks {
        if outcome.as_deref() != Some("done") || *attempts != Some(1) {
            let outcome = outcome.as_deref().unwrap_or("open");
            found.add(format!("task {id} ({kind}) is {outcome} after {} tries", attempts.unwrap_or_default()));
        }
        if !expected.tasks.contains(id) {
            others += 1;
            if kind != "message" {
                found.add(format!("task {id} ({kind}) is one too many"));
            }
        }
    }
    if others > expected.unknown {
        found.add(format!("{others} tasks are of writes that were not accepted, and {} are unknown", expected.unknown));
    }
    let there: BTreeSet<Uuid> = tasks.into_iter().map(|(id, ..)| id).collect();
    for id in expected.tasks.difference(&there) {
        found.add(format!("task {id} was accepted and is lost"));
    }
}
