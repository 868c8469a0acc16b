//! `POST /user` beside hashing by itself, and `GET /send` beside `POST /user`.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use super::Bench;
use crate::beside::hashing;
use crate::cpu::Cpu;
use crate::load::{Load, Pattern, Requests, Tally};
use crate::report::{Figure, Goal, Line};

const GOAL: Goal = Goal::AtLeast(0.9);
/// What is taken for keeping its latency.
const SEND_GOAL: Goal = Goal::AtMost(1.5);
/// Enough that no hashing thread ever waits for a request, and few enough that the producer refuses none.
const CLIENTS_EACH: usize = 8;
const SENDS_PER_SECOND: f64 = 100.0;
const SEND_CONNECTIONS: usize = 8;

pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let rounds = bench.plan.rounds;
    let threads = available_parallelism().map_or(1, NonZeroUsize::get);
    let (mut hashed, mut created, mut alone, mut beside) = (vec![], vec![], vec![], vec![]);
    let mut cpu = Cpu::default();
    for round in 1..=rounds {
        bench.progress.now(format!("round {round} of {rounds}: hashing by itself"));
        bench.stage.settle().await?;
        hashed.push(hashing::rate(threads, bench.plan.round).await?);

        bench.progress.now(format!("round {round} of {rounds}: /send by itself"));
        alone.push(sends(bench).run().await?);

        bench.progress.now(format!("round {round} of {rounds}: users, and /send beside them"));
        let name = bench.load_name();
        let users = Load {
            to: bench.stage.producer(),
            requests: Requests::Users(name),
            connections: CLIENTS_EACH * threads,
            pattern: Pattern::Closed,
            lasts: bench.plan.round,
        };
        let both = async { tokio::try_join!(users.run(), sends(bench).run()) };
        let (users, sent) = cpu.during(&bench.stage, both).await?;
        users.all_accepted()?;
        created.push(users.rate());
        beside.push(sent);
    }
    bench.stage.settle().await?;
    for tally in alone.iter().chain(&beside) {
        tally.all_accepted()?;
    }
    let of = |share: f64, tallies: &[Tally]| {
        Figure::new("ms", tallies.iter().map(|tally| tally.latencies.quantile_ms(share)).collect())
    };
    let send = |share: f64, name: &str| {
        Line::new(format!("GET /send beside POST /user, {name}"), of(share, &beside))
            .beside(format!("by itself, {name}"), of(share, &alone))
    };
    Ok(vec![
        Line::new("POST /user", Figure::new("users/s", created))
            .beside(format!("argon2id alone, {threads} threads"), Figure::new("hashes/s", hashed))
            .goal(GOAL)
            .note(format!("with {SENDS_PER_SECOND} /send a second beside it; processors: {}", cpu.words())),
        send(0.99, "p99").goal(SEND_GOAL),
        send(0.5, "p50"),
    ])
}

fn sends(bench: &Bench) -> Load {
    Load {
        to: bench.stage.producer(),
        requests: Requests::Texts,
        connections: SEND_CONNECTIONS,
        pattern: Pattern::Open(SENDS_PER_SECOND),
        lasts: bench.plan.round,
    }
}
