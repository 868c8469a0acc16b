//! Who used the processors during a measurement: that is what bounds it.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::time::Instant;

use crate::stage::Stage;

/// This process: the load generator, and what is measured inside it.
const OURS: &str = "bench";
/// Processes that we start for a while, such as pgbench.
const TOOLS: &str = "tools";
/// All that is none of ours.
const OTHERS: &str = "others";

/// Processor time by name, in ticks.
type Ticks = BTreeMap<&'static str, u64>;

/// Adds up over the rounds of a measurement.
#[derive(Default)]
pub(crate) struct Cpu {
    used: Ticks,
    seconds: f64,
}

impl Cpu {
    /// Counts what is used while something happens.
    pub(crate) async fn during<T>(&mut self, stage: &Stage, work: impl Future<Output = T>) -> T {
        let (before, begun) = (look(stage), Instant::now());
        let result = work.await;
        self.seconds += begun.elapsed().as_secs_f64();
        for (name, ticks) in look(stage) {
            let before = before.get(name).copied().unwrap_or(0);
            *self.used.entry(name).or_default() += ticks.saturating_sub(before);
        }
        result
    }

    /// What a process used, in seconds.
    pub(crate) fn seconds_of(&self, process: &str) -> f64 {
        self.used.get(process).copied().unwrap_or(0) as f64 / rustix::param::clock_ticks_per_second() as f64
    }

    /// Like `producer 91 %, postgres 60 %`: of one core each, the busiest first.
    pub(crate) fn words(&self) -> String {
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        let percent = |ticks: u64| 100.0 * ticks as f64 / per_second / self.seconds.max(1e-3);
        let mut shares: Vec<_> = self.used.iter().map(|(name, ticks)| (*name, percent(*ticks))).collect();
        shares.retain(|(_, share)| *share >= 1.0);
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        let words: Vec<_> = shares.iter().map(|(name, share)| format!("{name} {share:.0} %")).collect();
        words.join(", ")
    }
}

/// What others use of the processors from here on.
pub(crate) struct Others {
    before: u64,
    begun: Instant,
}

impl Others {
    pub(crate) fn watch(stage: &Stage) -> Self {
        Self { before: others(stage), begun: Instant::now() }
    }

    /// In percent of one core.
    pub(crate) fn percent(&self, stage: &Stage) -> f64 {
        let ticks = others(stage).saturating_sub(self.before);
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        100.0 * ticks as f64 / per_second / self.begun.elapsed().as_secs_f64().max(1e-3)
    }
}

fn others(stage: &Stage) -> u64 {
    look(stage).get(OTHERS).copied().unwrap_or(0)
}

/// One line of `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    own: u64,
    /// Of children that have ended and were waited for.
    ended: u64,
}

impl Stat {
    /// The name, in parentheses, may hold anything; the rest are numbers.
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            parent: u32::try_from(number(1)?).ok()?,
            own: number(11)? + number(12)?,
            ended: number(13)? + number(14)?,
        })
    }
}

fn look(stage: &Stage) -> Ticks {
    let stats = stats();
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (pid, stat) in &stats {
        children.entry(stat.parent).or_default().push(*pid);
    }
    let mut ticks = Ticks::new();
    let us = std::process::id();
    let servers = stage.processes();
    for process in &servers {
        *ticks.entry(process.name()).or_default() += tree(process.pid(), &stats, &children);
    }
    if let Some(stat) = stats.get(&us) {
        ticks.insert(OURS, stat.own);
        let running = children.get(&us).into_iter().flatten();
        let tools = running.filter(|pid| servers.iter().all(|server| server.pid() != **pid));
        ticks.insert(TOOLS, stat.ended + tools.map(|pid| tree(*pid, &stats, &children)).sum::<u64>());
    }
    let ours: u64 = ticks.values().sum();
    ticks.insert(OTHERS, busy().saturating_sub(ours));
    ticks
}

/// A process and all its descendants.
fn tree(pid: u32, stats: &HashMap<u32, Stat>, children: &HashMap<u32, Vec<u32>>) -> u64 {
    let own = stats.get(&pid).map_or(0, |stat| stat.own + stat.ended);
    own + children.get(&pid).into_iter().flatten().map(|child| tree(*child, stats, children)).sum::<u64>()
}

fn stats() -> HashMap<u32, Stat> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stat = |process: fs::DirEntry| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        Some((pid, Stat::parse(&fs::read_to_string(process.path().join("stat")).ok()?)?))
    };
    processes.filter_map(stat).collect()
}

/// Ticks that all processors together were busy.
fn busy() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<u64> = fields.filter_map(|field| field.parse().ok()).collect();
    // Idle and waiting for the disk are the fourth and the fifth; guests' time is counted in the first two already.
    ticks.iter().take(8).enumerate().filter(|(at, _)| *at != 3 && *at != 4).map(|(_, ticks)| ticks).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_numbers() {
        let line = "7 (a) b (c) S 3 7 7 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 5 6 7";
        assert_eq!(Stat::parse(line), Some(Stat { parent: 3, own: 30, ended: 70 }));
    }
}
