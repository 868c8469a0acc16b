//! Any instance of any service is killed under load, and comes back.

use super::Edge;
use crate::audit::audit;
use crate::load::Failed;

/// What must go on while somebody is away, and afterwards.
const WRITES: usize = 200;
const READS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_no_client_that_repeats_sees_it_and_no_reader_at_all() {
    let edge = Edge::start(&[]).await;
    let mut load = edge.load(Failed::Repeat);
    let (mut first, mut second) = (edge.readers(0), edge.readers(1));
    for victim in [edge.producers()[0], edge.consumers()[0], &edge.registry] {
        victim.kill9().await;
        tokio::join!(load.goes_on(WRITES), first.go_on(READS), second.go_on(READS));
        victim.start_again().await;
        tokio::join!(load.goes_on(WRITES), first.go_on(READS), second.go_on(READS));
    }
    // Who reads through a gateway that is killed cannot but see it.
    let (reads, slowest) = first.end().await;
    println!("{reads} reads through the first gateway, {slowest:?} the slowest");
    edge.gateways[0].kill9().await;
    tokio::join!(load.goes_on(WRITES), second.go_on(READS));
    edge.gateways[0].start_again().await;
    let mut first = edge.readers(0);
    tokio::join!(load.goes_on(WRITES), first.go_on(READS), second.go_on(READS));
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
