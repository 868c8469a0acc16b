//! Records sent as fast as they are accepted, until the last of them can be seen.

use std::time::Duration;

use anyhow::Context;

use super::{Bench, watch};
use crate::cpu::Cpu;
use crate::load::Pattern;
use crate::report::Figure;

/// How often the records are looked at; the rate over many seconds needs it no finer.
const EVERY: Duration = Duration::from_millis(20);

/// What came of it, in records per second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    /// While they were sent.
    pub(super) accepted: f64,
    /// From the first request to when the last record was seen.
    pub(super) visible: f64,
}

pub(super) fn accepted(flows: &[Flow]) -> Figure {
    Figure::new("rec/s", flows.iter().map(|flow| flow.accepted).collect())
}

pub(super) fn visible(flows: &[Flow]) -> Figure {
    Figure::new("rec/s", flows.iter().map(|flow| flow.visible).collect())
}

impl Bench {
    /// A flow under ordinary conditions, which is remembered.
    pub(super) async fn flow(&mut self) -> anyhow::Result<()> {
        let mut cpu = std::mem::take(&mut self.cpu_of_flows);
        let flow = self.flow_beside(&mut cpu).await;
        self.cpu_of_flows = cpu;
        self.flows.push(flow?);
        Ok(())
    }

    /// A flow under any conditions. Everything has settled when it begins and when it ends.
    pub(super) async fn flow_beside(&mut self, cpu: &mut Cpu) -> anyhow::Result<Flow> {
        let clients = self.clients().await?.warren;
        let name = self.load_name();
        let load = self.records(&name, clients, Pattern::Closed, self.plan.round);
        let stage = &self.stage;
        stage.settle().await?;
        let flow = cpu.during(stage, async {
            let running = load.start().await?;
            let start = running.schedule.start;
            let (tally, seen) = watch::follow(stage, name, running, EVERY).await?;
            let took = seen.last.context("no record was seen")?.duration_since(start);
            anyhow::Ok(Flow { accepted: tally.rate(), visible: seen.records as f64 / took.as_secs_f64() })
        });
        let flow = flow.await?;
        stage.settle().await?;
        Ok(flow)
    }
}
