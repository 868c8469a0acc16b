//! An instance that hangs: it has its connections, and answers nothing.

use testkit::eventually;

use super::Edge;

const READS: usize = 60;

impl Edge {
    /// Waits until both gateways' breakers for the first producer are so.
    async fn breakers_are(&self, state: &str) {
        let address = self.producers()[0].base().trim_start_matches("http://");
        let producer = ("producer".to_owned(), address.to_owned());
        for gateway in &self.gateways {
            eventually(&format!("the breaker is {state}"), async || {
                (self.instances(gateway).await.get(&producer)? == state).then_some(())
            })
            .await;
        }
    }

    fn probes(&self) -> usize {
        self.gateways.iter().map(|gateway| gateway.logs().matches("one call tries the instance again").count()).sum()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_hangs_is_left_alone_until_it_answers_again_and_no_reader_sees_it() {
    let settings = [("CALL_TIMEOUT", "2"), ("BREAKER_FAILURES", "3"), ("BREAKER_OPEN", "1")];
    let mut edge = Edge::start(&[&settings[..], &[("RUST_LOG", "info,client=debug")]].concat()).await;
    // A dashboard waits for as long as one try may take, and then does without what it has not got.
    edge.readable.retain(|path| !path.ends_with("/dashboard"));
    let (mut first, mut second) = (edge.readers(0), edge.readers(1));
    tokio::join!(first.go_on(READS), second.go_on(READS));

    edge.producers()[0].pause();
    edge.breakers_are("open").await;
    tokio::join!(first.go_on(READS), second.go_on(READS));
    let probes = edge.probes();
    eventually("it is tried again and again", async || (edge.probes() >= probes + 3).then_some(())).await;
    tokio::join!(first.go_on(READS), second.go_on(READS));

    edge.producers()[0].resume();
    edge.breakers_are("closed").await;
    // It is the only one then.
    edge.producers()[1].stop().await;
    tokio::join!(first.go_on(READS), second.go_on(READS));
    for readers in [first, second] {
        let (reads, slowest) = readers.end().await;
        println!("{reads} reads, {slowest:?} the slowest");
    }
    edge.stop().await;
}
