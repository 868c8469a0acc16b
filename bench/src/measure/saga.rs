//! Orders through the whole saga beside what MongoDB can write, and the products that they are made of.

use super::shop::{Flow, Goods, Market, PRODUCTS};
use super::{Bench, best, cached};
use crate::beside::mongo::WRITERS;
use crate::cpu::Cpu;
use crate::load::Latencies;
use crate::report::{Figure, Line};

/// How many wait for their orders at the same time, as it is tried.
const CLIENTS: [usize; 3] = [16, 64, 128];

/// The writes that an order cannot be confirmed before, each of which waits for the one before it: orders stores it; products
/// stores a reservation, takes the stock, records that; orders records it; payments enters the charge in the provider's
/// ledger and stores the payment; orders records that; products goes over to selling, sells, records that; orders confirms.
///
/// Beside them orders remembers both changes of the product, and five times what was sent is taken out of its document.
const IN_TURN: usize = 12;
/// How often so many are written.
const TIMES: usize = 100;

#[derive(Default)]
struct Taken {
    many: Vec<Flow>,
    one: Vec<Flow>,
    /// Updates per second of MongoDB alone.
    updates: Vec<f64>,
    in_turn: Vec<Latencies>,
    calm: Vec<Latencies>,
    cpu_of_many: Cpu,
    cpu_of_one: Cpu,
    cpu_of_calm: Cpu,
}

pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let market = Market::open(bench).await?;
    let mut tried = Vec::with_capacity(CLIENTS.len());
    for clients in CLIENTS {
        bench.progress.now(format!("trying {clients} clients"));
        let flow = market.flow(bench, Goods::Many, clients, &mut Cpu::default()).await?;
        tried.push((clients, flow.rate));
    }
    let clients = best(&tried);
    let half = tried.iter().map(|(_, rate)| *rate).fold(0.0, f64::max) / 2.0;

    let (mut taken, rounds) = (Taken::default(), bench.plan.rounds);
    for round in 1..=rounds {
        let now = |bench: &Bench, what: &str| bench.progress.now(format!("round {round} of {rounds}: {what}"));
        now(bench, "MongoDB by itself");
        taken.updates.push(market.store.rate(bench.plan.round).await?);
        taken.in_turn.push(market.store.in_turn(IN_TURN, TIMES).await?);
        now(bench, "orders of many products");
        taken.many.push(market.flow(bench, Goods::Many, clients, &mut taken.cpu_of_many).await?);
        now(bench, "orders of one product");
        taken.one.push(market.flow(bench, Goods::One, clients, &mut taken.cpu_of_one).await?);
        now(bench, &format!("{half:.0} orders a second"));
        taken.calm.push(market.calm(bench, half, 2 * clients, &mut taken.cpu_of_calm).await?.latencies);
    }
    let mut lines = throughput(&taken, clients, &market.store.name);
    lines.extend(latency(&taken, half));
    lines.extend(cached::measure(bench, &market).await?);
    Ok(lines)
}

fn throughput(taken: &Taken, clients: usize, store: &str) -> Vec<Line> {
    let figure = |unit, flows: &[Flow], of: fn(&Flow) -> f64| Figure::new(unit, flows.iter().map(of).collect());
    let rate = |flows| figure("orders/s", flows, |flow| flow.rate);
    let per_order = |flows| figure("writes", flows, |flow| flow.writes);
    let counted = figure("writes", &taken.many, |flow| flow.counted);
    let written = figure("writes/s", &taken.many, |flow| flow.rate * flow.writes);
    vec![
        Line::new(format!("orders confirmed, of {PRODUCTS} products"), rate(&taken.many))
            .note(format!(
                "{clients} clients, each waits for its order to be confirmed; one of a product each; PAYMENT_LATENCY=0"
            ))
            .note(format!("processors: {}", taken.cpu_of_many.words())),
        Line::new("durable writes for each", per_order(&taken.many))
            .note(format!("of its documents, {IN_TURN} one after another until it is confirmed"))
            .note(format!(
                "MongoDB counted {}: also what orders remembers of the product, and removals of",
                counted.words()
            ))
            .note("what was sent, which need not wait for the disk"),
        Line::new("both together", written).beside(
            format!("{store}, conditional updates, {WRITERS} writers"),
            Figure::new("writes/s", taken.updates.clone()),
        ),
        Line::new("orders confirmed, of one hot product", rate(&taken.one))
            .beside(format!("of {PRODUCTS}"), rate(&taken.many))
            .note(format!("for each {}", per_order(&taken.one).words()))
            .note(format!("processors: {}", taken.cpu_of_one.words())),
    ]
}

fn latency(taken: &Taken, half: f64) -> Vec<Line> {
    let of = |share: f64, rounds: &[Latencies]| {
        Figure::new("ms", rounds.iter().map(|latencies| latencies.quantile_ms(share)).collect())
    };
    let line = |what: String, share: f64, name: &str| {
        Line::new(what, of(share, &taken.calm))
            .beside(format!("{IN_TURN} updates one after another, {name}"), of(share, &taken.in_turn))
    };
    let orders: u64 = taken.calm.iter().map(Latencies::len).sum();
    vec![
        line(format!("created to confirmed, p99 at {half:.0} orders/s"), 0.99, "p99")
            .note(format!("{orders} orders; processors: {}", taken.cpu_of_calm.words())),
        line("the same, p50".to_owned(), 0.5, "p50"),
    ]
}
