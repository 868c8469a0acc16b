//! `POST /records`, as fast as it goes, beside what Postgres alone does with a transaction for each request.

use std::time::Duration;

use super::{Bench, flow};
use crate::beside::pgbench;
use crate::cpu::Cpu;
use crate::load::Pattern;
use crate::report::{Figure, Goal, Line};
use crate::stage::BrokerIs;

const GOAL: Goal = Goal::AtLeast(2.0);

pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let (rounds, lasts) = (bench.plan.rounds, bench.plan.round);
    let clients = bench.clients().await?;
    let (mut alone, mut same, mut best) = (Vec::new(), Vec::new(), Vec::new());
    let (mut cpu_alone, mut cpu_pgbench) = (Cpu::default(), Cpu::default());
    let first = bench.flows.len();
    for round in 1..=rounds {
        bench.progress.now(format!("round {round} of {rounds}: {} clients, everything running", clients.warren));
        bench.flow().await?;
        let stage = &bench.stage;
        bench.progress.now(format!("round {round} of {rounds}: pgbench"));
        same.push(cpu_pgbench.during(stage, pgbench::rate(stage, clients.warren, lasts)).await?);
        if clients.pgbench != clients.warren {
            best.push(pgbench::rate(stage, clients.pgbench, lasts).await?);
        }
        bench.progress.now(format!("round {round} of {rounds}: {} clients, the broker away", clients.warren));
        alone.push(without_broker(bench, clients.warren, lasts, &mut cpu_alone).await?);
    }
    if best.is_empty() {
        best.clone_from(&same);
    }
    let accepted = flow::accepted(&bench.flows[first..]);
    let pair = |clients: usize, samples: &[f64]| {
        (format!("pgbench pair, {clients} clients"), Figure::new("tx/s", samples.to_vec()))
    };
    let (with_same, same) = pair(clients.warren, &same);
    let (with_best, best) = pair(clients.pgbench, &best);
    let alone = Figure::new("rec/s", alone);
    Ok(vec![
        Line::new("POST /records, everything running", accepted.clone())
            .beside(&with_same, same.clone())
            .goal(GOAL)
            .note(format!("processors, until the last record is visible: {}", bench.cpu_of_flows.words())),
        Line::new("the same beside pgbench at its best", accepted).beside(with_best, best),
        Line::new("POST /records, the broker away", alone)
            .beside(with_same, same)
            .goal(GOAL)
            .note(format!("processors: {}", cpu_alone.words()))
            .note(format!("of pgbench: {}", cpu_pgbench.words())),
    ])
}

/// Acceptance by itself: nothing is relayed, so nothing else needs the processors.
async fn without_broker(bench: &mut Bench, clients: usize, lasts: Duration, cpu: &mut Cpu) -> anyhow::Result<f64> {
    bench.stage.start_producer(BrokerIs::Away).await?;
    let name = bench.load_name();
    let load = bench.records(&name, clients, Pattern::Closed, lasts);
    let tally = cpu.during(&bench.stage, load.run()).await?;
    tally.all_accepted()?;
    bench.stage.start_producer(BrokerIs::Here).await?;
    bench.stage.settle().await?;
    Ok(tally.rate())
}
