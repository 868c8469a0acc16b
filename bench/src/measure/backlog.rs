//! A large backlog beside small ones: the relay must not slow down the more there is.

use super::Bench;
use super::outbox::{Mode, drained, filled};
use super::queue::Queue;
use crate::cpu::Cpu;
use crate::report::{Figure, Goal, Line};

const GOAL: Goal = Goal::AtLeast(0.9);

pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let (large, small) = (bench.plan.backlog, bench.plan.steady);
    bench.stage.settle().await?;
    let queue = Queue::open(&bench.stage).await?;
    let (mut backlog, mut steady) = (Vec::new(), Vec::new());
    let mut cpu = Cpu::default();
    // The small ones before, between and after, so that one bad moment does not decide.
    for messages in [small, small, large, small, small] {
        bench.progress.now(format!("{messages} messages into the outbox"));
        let database = filled(&bench.stage, messages, Mode::Plain).await?;
        queue.empty(&bench.stage).await?;
        bench.progress.now(format!("relaying {messages} messages"));
        let relaying = drained(&database, &queue, messages, Mode::Plain);
        if messages == large {
            backlog.push(cpu.during(&bench.stage, relaying).await?);
        } else {
            steady.push(relaying.await?);
        }
    }
    queue.close(&bench.stage).await?;
    Ok(vec![
        Line::new(format!("relay of {large} waiting messages"), Figure::new("msg/s", backlog))
            .beside(format!("of {small}"), Figure::new("msg/s", steady))
            .goal(GOAL)
            .note(format!("processors: {}", cpu.words())),
    ])
}
