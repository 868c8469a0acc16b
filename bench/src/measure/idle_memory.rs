//! How much memory the programs take when nothing is asked of them.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use tokio::time::sleep;

use super::Bench;
use crate::machine::kilobytes;
use crate::report::{Figure, Goal, Line};
use crate::stage::Stage;

const GOAL_MB: f64 = 15.0;
/// What the start needed has been given back by then.
const CALM: Duration = Duration::from_secs(3);

pub(super) async fn measure(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    bench.progress.now("waiting a few idle seconds");
    sleep(CALM).await;
    ["producer", "consumer"].map(|name| line(&bench.stage, name)).into_iter().collect()
}

fn line(stage: &Stage, name: &str) -> anyhow::Result<Line> {
    let Memory { resident, own_share, anonymous } = memory(stage, name)?;
    let line = Line::new(format!("{name} when idle, resident"), Figure::new("MB", vec![resident]));
    let line = line.beside("goal", Figure::new("MB", vec![GOAL_MB])).goal(Goal::AtMost(1.0));
    let split = "if shared pages are split among those who share them";
    Ok(line.note(format!(
        "{own_share:.1} MB {split}; {anonymous:.1} MB are its data, the rest pages of the program's file"
    )))
}

/// A process's memory, in megabytes.
pub(super) struct Memory {
    pub(super) resident: f64,
    own_share: f64,
    anonymous: f64,
}

pub(super) fn memory(stage: &Stage, name: &str) -> anyhow::Result<Memory> {
    let pid = stage.process(name)?.pid();
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("reading a process's memory")?;
    let megabytes = |of| {
        let kilobytes = kilobytes(&rollup, of).with_context(|| format!("the kernel told no {of}"))?;
        anyhow::Ok(kilobytes as f64 / 1024.0)
    };
    Ok(Memory { resident: megabytes("Rss")?, own_share: megabytes("Pss")?, anonymous: megabytes("Anonymous")? })
}
