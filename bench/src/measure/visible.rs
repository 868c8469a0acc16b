//! From the request to the record in MariaDB: how many a second, and at half of that how long each takes.

use std::time::Duration;

use time::OffsetDateTime;

use super::idle_memory::memory;
use super::queue::Queue;
use super::{Bench, flow, watch};
use crate::beside::{by_hand, disk};
use crate::cpu::Cpu;
use crate::load::{Latencies, Pattern};
use crate::report::{Figure, Goal, Line};

const GOAL: Goal = Goal::AtMost(3.0);
/// Postgres' commit, the broker's quorum queue, MariaDB's commit.
const DURABLE_STEPS: usize = 3;
const FLOORS: usize = 500;
const BY_HAND: usize = 300;
const EVERY: Duration = Duration::from_millis(1);
/// From the beginning of a task's transaction to that of the one that records the broker's confirm.
const CONFIRMED_MS: &str = "
SELECT (1000 * extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY published_at - accepted_at)))::float8
FROM tasks WHERE accepted_at >= $1";

pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let rounds = bench.plan.rounds;
    let (half, clients) = (bench.capacity().await? / 2.0, bench.clients().await?.warren);
    let queue = Queue::open(&bench.stage).await?;
    let (mut floors, mut by_hand, mut accepted, mut visible) = (vec![], vec![], vec![], vec![]);
    let mut confirmed = vec![];
    let mut cpu = Cpu::default();
    for round in 1..=rounds {
        bench.progress.now(format!("round {round} of {rounds}: the disk, and the three steps by hand"));
        let stage = &bench.stage;
        stage.settle().await?;
        floors.push(disk::floor(&stage.folder, DURABLE_STEPS, FLOORS).await?);
        by_hand.push(by_hand::steps(stage, &queue, BY_HAND).await?);
        bench.progress.now(format!("round {round} of {rounds}: {half:.0} records a second"));
        let name = bench.load_name();
        let load = bench.records(&name, clients, Pattern::Open(half), bench.plan.round);
        let stage = &bench.stage;
        let since: OffsetDateTime = sqlx::query_scalar("SELECT now()").fetch_one(&stage.database).await?;
        let running = load.start().await?;
        let (tally, seen) = cpu.during(stage, watch::follow(stage, name, running, EVERY)).await?;
        accepted.push(tally.latencies);
        visible.push(seen.latencies);
        stage.settle().await?;
        confirmed.push(sqlx::query_scalar(CONFIRMED_MS).bind(since).fetch_one(&stage.database).await?);
    }
    queue.close(&bench.stage).await?;
    let of = |share: f64, rounds: &[Latencies]| {
        Figure::new("ms", rounds.iter().map(|latencies| latencies.quantile_ms(share)).collect())
    };
    let floor = format!("{DURABLE_STEPS} appends to the disk");
    let producer = memory(&bench.stage, "producer")?.resident;
    let consumer = memory(&bench.stage, "consumer")?.resident;
    Ok(vec![
        Line::new("accepted to visible in MariaDB", flow::visible(&bench.flows))
            .note("as fast as they are accepted, until the last one is visible")
            .note(format!("resident afterwards: producer {producer:.0} MB, consumer {consumer:.0} MB")),
        Line::new(format!("accept to visible, p99 at {half:.0} rec/s"), of(0.99, &visible))
            .beside(format!("{floor}, p99"), of(0.99, &floors))
            .goal(GOAL)
            .note(format!("p50 {}; processors: {}", of(0.5, &visible).words(), cpu.words())),
        Line::new("the same, p50", of(0.5, &visible)).beside(format!("{floor}, p50"), of(0.5, &floors)),
        Line::new("the same, p50", of(0.5, &visible)).beside("the three steps by hand, p50", of(0.5, &by_hand)),
        Line::new("the same, p99", of(0.99, &visible)).beside("the three steps by hand, p99", of(0.99, &by_hand)),
        Line::new("of it, to the 202, p50", of(0.5, &accepted)).note(format!("p99 {}", of(0.99, &accepted).words())),
        Line::new("of it, from commit to confirm, p50", Figure::new("ms", confirmed))
            .note("from the beginning of the transaction, to when the relay records the confirm"),
    ])
}
