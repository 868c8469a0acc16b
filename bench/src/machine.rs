//! The machine that all of this runs on: the same cores carry the servers, the programs and the load.

use std::fs;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use serde::Serialize;

/// With others that use more than this the numbers mean little, in percent of one core.
const DISTURBED: f64 = 15.0;

/// What is to be known about the machine to read the numbers.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) cpu: String,
    pub(crate) memory_mb: u64,
    /// The load average before this began.
    pub(crate) load_before: f64,
    /// What all other processes used of the processors during the run, in percent of one core.
    pub(crate) others_percent: f64,
    /// What it takes to append a little to a file and have it on the disk, in the median.
    pub(crate) sync_ms: f64,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let load = read("/proc/loadavg");
        Self {
            cores: available_parallelism().map_or(1, NonZeroUsize::get),
            cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "an unnamed processor".to_owned()),
            memory_mb: kilobytes(&read("/proc/meminfo"), "MemTotal").unwrap_or(0) / 1024,
            load_before: load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
            others_percent: 0.0,
            sync_ms: 0.0,
        }
    }

    pub(crate) fn words(&self) -> String {
        let Self { cores, cpu, sync_ms, load_before, others_percent, .. } = self;
        let memory = self.memory_mb.div_ceil(1024);
        let disturbed = if *others_percent > DISTURBED { " THE RUN WAS DISTURBED." } else { "" };
        format!(
            "{cores} cores ({cpu}), {memory} GB; a small append is on the disk after {sync_ms:.2} ms. Servers, programs \
             and load generator share these cores.\nOthers: load average {load_before:.2} before the run, \
             {others_percent:.0} % of a core during it.{disturbed}"
        )
    }
}

/// The value of a line like `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(key, value)| (key.trim() == name).then(|| value.trim().to_owned()))
}

/// The same of a line like `name:  123 kB`, as in the files about memory.
pub(crate) fn kilobytes(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_beside_others_is_called_disturbed() {
        let words = |others_percent| Machine { others_percent, ..Machine::default() }.words();
        assert!(!words(4.0).contains("DISTURBED"));
        assert!(words(40.0).contains("40 % of a core during it. THE RUN WAS DISTURBED."));
    }

    #[test]
    fn values_are_found_by_their_whole_name() {
        let text = "Rss:   9 kB\nPss_Dirty:  1 kB\nPss:    7 kB\nmodel name\t: A: B\n";
        assert_eq!(kilobytes(text, "Pss"), Some(7));
        assert_eq!(field(text, "model name").as_deref(), Some("A: B"));
        assert_eq!(kilobytes(text, "Swap"), None);
    }
}
