//! The measurements. What is compared is measured in turns, so that whatever changes meanwhile changes for both.

mod accept;
mod backlog;
mod cached;
mod flow;
mod gateway;
mod held_snapshot;
mod idle_memory;
mod outbox;
pub(crate) mod queue;
mod relay;
mod saga;
mod shop;
mod users;
mod visible;
mod watch;
mod ways;

use std::time::Duration;

use flow::Flow;

use crate::args::{Name, Plan};
use crate::beside::pgbench;
use crate::cpu::{Cpu, Others};
use crate::load::{Load, Pattern, Requests};
use crate::progress::Progress;
use crate::report::Line;
use crate::stage::Stage;

/// Numbers of clients that are tried.
const CLIENTS: [usize; 3] = [32, 128, 256];

/// What the measurements work with, and what they learn for each other.
pub(crate) struct Bench {
    stage: Stage,
    plan: Plan,
    progress: Progress,
    clients: Option<Clients>,
    /// All records that were sent as fast as they were accepted.
    flows: Vec<Flow>,
    cpu_of_flows: Cpu,
    /// Loads so far: each has a name of its own.
    loads: u32,
}

/// How many clients get the most out of it.
#[derive(Clone, Copy)]
struct Clients {
    warren: usize,
    pgbench: usize,
}

impl Bench {
    pub(crate) fn new(stage: Stage, plan: Plan, progress: Progress) -> Self {
        Self { stage, plan, progress, clients: None, flows: Vec::new(), cpu_of_flows: Cpu::default(), loads: 0 }
    }

    /// The next measurement begins.
    pub(crate) fn begin(&mut self, name: Name) {
        self.progress.part(name.as_str(), self.plan.expected(name));
    }

    pub(crate) async fn measure(&mut self, name: Name) -> anyhow::Result<Vec<Line>> {
        match name {
            Name::IdleMemory => idle_memory::measure(self).await,
            Name::Accept => accept::measure(self).await,
            Name::Visible => visible::measure(self).await,
            Name::HeldSnapshot => held_snapshot::measure(self).await,
            Name::Users => users::measure(self).await,
            Name::Relay => relay::measure(self).await,
            Name::Backlog => backlog::measure(self).await,
            Name::Gateway => gateway::measure(self).await,
            Name::Saga => saga::measure(self).await,
        }
    }

    /// Everything that runs ends here. Returns what others used of the processors meanwhile.
    pub(crate) fn end(self, others: &Others) -> f64 {
        self.progress.now("ending servers and programs");
        let percent = others.percent(&self.stage);
        drop(self.stage);
        self.progress.end();
        percent
    }

    /// A name that no load before had.
    fn load_name(&mut self) -> String {
        self.loads += 1;
        format!("load{:03}", self.loads)
    }

    fn records(&self, name: &str, connections: usize, pattern: Pattern, lasts: Duration) -> Load {
        Load { to: self.stage.producer(), requests: Requests::Records(name.to_owned()), connections, pattern, lasts }
    }

    /// Tries, the first time it is asked.
    async fn clients(&mut self) -> anyhow::Result<Clients> {
        if let Some(clients) = self.clients {
            return Ok(clients);
        }
        pgbench::prepare(&self.stage).await?;
        let (mut warren, mut pair) = (Vec::new(), Vec::new());
        for clients in CLIENTS {
            self.progress.now(format!("trying {clients} clients"));
            let name = self.load_name();
            let tally = self.records(&name, clients, Pattern::Closed, self.plan.trial).run().await?;
            tally.all_accepted()?;
            warren.push((clients, tally.rate()));
            self.stage.settle().await?;
            pair.push((clients, pgbench::rate(&self.stage, clients, self.plan.trial).await?));
        }
        let found = Clients { warren: best(&warren), pgbench: best(&pair) };
        self.clients = Some(found);
        Ok(found)
    }

    /// How many records a second the whole way takes, in the median of all flows so far.
    async fn capacity(&mut self) -> anyhow::Result<f64> {
        if self.flows.is_empty() {
            self.flow().await?;
        }
        Ok(flow::visible(&self.flows).median())
    }
}

/// The number of clients with the highest rate.
fn best(tried: &[(usize, f64)]) -> usize {
    tried.iter().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(CLIENTS[0], |(clients, _)| *clients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_number_of_clients_is_that_of_the_highest_rate() {
        assert_eq!(best(&[(32, 900.0), (128, 2_000.0), (256, 1_900.0)]), 128);
    }
}
