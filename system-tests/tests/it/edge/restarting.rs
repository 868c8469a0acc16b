//! A rolling restart: each instance is told to stop, and comes back, one after another.

use super::Edge;
use crate::audit::audit;
use crate::load::Failed;

/// What must go on after each step.
const WRITES: usize = 100;
const READS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_under_load_fails_no_read_and_no_write_even_without_repeats() {
    let edge = Edge::start(&[]).await;
    let mut load = edge.load(Failed::Never);
    let (mut first, mut second) = (edge.readers(0), edge.readers(1));
    let [producers, consumers] = [edge.producers(), edge.consumers()];
    for process in producers.into_iter().chain(consumers) {
        process.stop().await;
        tokio::join!(load.goes_on(WRITES), first.go_on(READS), second.go_on(READS));
        process.start_again().await;
        edge.known_to_gateways().await;
        tokio::join!(load.goes_on(WRITES), first.go_on(READS), second.go_on(READS));
    }
    for readers in [first, second] {
        let (reads, slowest) = readers.end().await;
        println!("{reads} reads, {slowest:?} the slowest");
    }
    let mut writes = load.finish().await;
    println!("{} writes", writes.len());
    writes.extend(edge.there.iter().cloned());
    edge.world.settled().await;
    audit(&edge.world, &writes).await;
    edge.stop().await;
}
