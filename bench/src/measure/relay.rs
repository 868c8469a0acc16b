//! The relay, from the outbox to the broker's confirm, beside PerfTest on the same queue.

use super::Bench;
use super::outbox::{Mode, drained, filled};
use super::queue::Queue;
use crate::beside::perftest::{Envelope, PerfTest};
use crate::beside::raw;
use crate::cpu::Cpu;
use crate::report::{Figure, Goal, Line};

const GOAL: Goal = Goal::AtLeast(0.9);
/// Bodies of the same size, and nothing else.
const BARE: &str = "PerfTest, 4 × 256";
const FULL: &str = "PerfTest with such properties";

/// One of the things compared: what its rounds gave, and who used the processors.
#[derive(Default)]
struct Side {
    rates: Vec<f64>,
    cpu: Cpu,
}

impl Side {
    fn figure(&self) -> Figure {
        Figure::new("msg/s", self.rates.clone())
    }

    fn line(&self, what: &str) -> Line {
        Line::new(what, self.figure()).note(self.processors("of the relay, which runs in the load generator"))
    }

    fn processors(&self, whose: &str) -> String {
        format!("processors, {whose}: {}", self.cpu.words())
    }
}

pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let rounds = bench.plan.rounds;
    bench.stage.settle().await?;
    bench.progress.now("fetching PerfTest");
    let perftest = PerfTest::fetch().await;
    let queue = Queue::open(&bench.stage).await?;
    let (mut plain, mut marking) = (Side::default(), Side::default());
    let (mut bare, mut full) = (Side::default(), Side::default());
    for round in 1..=rounds {
        bench.progress.now(format!("round {round} of {rounds}: the broker without Warren"));
        for (envelope, side) in [(Envelope::Bare, &mut bare), (Envelope::Full, &mut full)] {
            match &perftest {
                Ok(perftest) => bench.perftest(&queue, perftest, envelope, side).await?,
                // Its messages are like the relay's.
                Err(_) if envelope == Envelope::Full => bench.raw(&queue, side).await?,
                Err(_) => {}
            }
        }
        for (mode, side) in [(Mode::Plain, &mut plain), (Mode::MarksTasks, &mut marking)] {
            bench.progress.now(format!("round {round} of {rounds}: {} messages", bench.plan.relayed));
            bench.relay(&queue, mode, side).await?;
        }
    }
    queue.close(&bench.stage).await?;
    let lines = match perftest {
        Ok(_) => {
            let beside = |line: Line, what: &str, limit: &Side| line.beside(what, limit.figure()).goal(GOAL);
            vec![
                beside(plain.line("relay, outbox to confirm"), BARE, &bare).note(bare.processors("of PerfTest")),
                beside(plain.line("the same beside like messages"), FULL, &full).note(full.processors("of PerfTest")),
                beside(marking.line("relay that marks tasks, as the producer's"), BARE, &bare),
                beside(marking.line("the same beside like messages"), FULL, &full),
            ]
        }
        Err(error) => {
            let why = format!("PerfTest is missing ({error:#}): this library's own publisher stands in");
            let beside = |line: Line| line.beside("raw publishing, 4 × 256", full.figure()).goal(GOAL);
            vec![
                beside(plain.line("relay, outbox to confirm")).note(why),
                beside(marking.line("relay that marks tasks, as the producer's")),
            ]
        }
    };
    Ok(lines)
}

impl Bench {
    async fn perftest(
        &self,
        queue: &Queue,
        perftest: &PerfTest,
        envelope: Envelope,
        side: &mut Side,
    ) -> anyhow::Result<()> {
        queue.empty(&self.stage).await?;
        let rate = perftest.rate(&self.stage, self.plan.perftest, envelope);
        side.rates.push(side.cpu.during(&self.stage, rate).await?);
        Ok(())
    }

    async fn raw(&self, queue: &Queue, side: &mut Side) -> anyhow::Result<()> {
        queue.empty(&self.stage).await?;
        let rate = raw::rate(queue, self.plan.relayed);
        side.rates.push(side.cpu.during(&self.stage, rate).await?);
        Ok(())
    }

    async fn relay(&self, queue: &Queue, mode: Mode, side: &mut Side) -> anyhow::Result<()> {
        let messages = self.plan.relayed;
        let database = filled(&self.stage, messages, mode).await?;
        queue.empty(&self.stage).await?;
        let relaying = drained(&database, queue, messages, mode);
        side.rates.push(side.cpu.during(&self.stage, relaying).await?);
        Ok(())
    }
}
