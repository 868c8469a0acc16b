//! The whole way while another session holds a snapshot, so that Postgres can clean nothing up.

use anyhow::ensure;
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::{Bench, flow};
use crate::cpu::Cpu;
use crate::report::{Goal, Line};

const GOAL: Goal = Goal::AtLeast(0.95);
/// Within a transaction that is to see one state, the same each time it is asked.
const SNAPSHOT: &str = "SELECT pg_current_snapshot()::text";

pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let rounds = bench.plan.rounds;
    let (mut free, mut held) = (Vec::new(), Vec::new());
    let (mut cpu_free, mut cpu_held) = (Cpu::default(), Cpu::default());
    for round in 1..=rounds {
        // Each goes first as often as the other: the tables grow meanwhile.
        for with_snapshot in [round % 2 == 0, round % 2 == 1] {
            let what = if with_snapshot { "with" } else { "without" };
            bench.progress.now(format!("round {round} of {rounds}: {what} a held snapshot"));
            if with_snapshot {
                held.push(flow_with_snapshot(bench, &mut cpu_held).await?);
            } else {
                free.push(bench.flow_beside(&mut cpu_free).await?);
            }
        }
    }
    let without = "without";
    Ok(vec![
        Line::new("accepted to visible, a snapshot held", flow::visible(&held))
            .beside(without, flow::visible(&free))
            .goal(GOAL)
            .note(format!("processors: {}", cpu_held.words())),
        Line::new("POST /records, a snapshot held", flow::accepted(&held))
            .beside(without, flow::accepted(&free))
            .goal(GOAL),
    ])
}

async fn flow_with_snapshot(bench: &mut Bench, cpu: &mut Cpu) -> anyhow::Result<flow::Flow> {
    // What is there already is cleaned up first, so that the snapshot holds up this flow's rows only.
    let mut session = bench.stage.session().await?;
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ").execute(&mut session).await?;
    let before = snapshot(&mut session).await?;
    let flow = bench.flow_beside(cpu).await?;
    ensure!(snapshot(&mut session).await? == before, "the session lost its snapshot");
    session.close().await?;
    Ok(flow)
}

async fn snapshot(session: &mut PgConnection) -> sqlx::Result<String> {
    sqlx::query_scalar(SNAPSHOT).fetch_one(session).await
}
