//! What can be chosen.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Measures Warren and, beside it, the limits of the servers it stands on. It starts servers of its own, durable and
/// on the loopback only, and removes them at the end.
#[derive(Clone, Debug, Parser)]
#[command(name = "bench")]
pub(crate) struct Args {
    /// About six minutes instead of twenty: fewer and shorter rounds.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Only this measurement; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<Name>,

    /// Where the JSON goes; by default into the folder `results` of this program's sources.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// How many messages the large backlog has; by default a million, or 100,000 if it is to be quick.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) backlog: Option<u64>,

    /// A folder on a disk for the servers' data; by default the first temporary one that is.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,

    /// Takes the programs as they were built before.
    #[arg(long)]
    pub(crate) no_build: bool,

    /// Minutes after which it ends with what it has.
    #[arg(long, default_value_t = 25)]
    pub(crate) limit: u64,
}

/// The measurements, in the order in which they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    IdleMemory,
    Accept,
    Visible,
    HeldSnapshot,
    Users,
    Relay,
    Backlog,
    Gateway,
    Saga,
}

impl Name {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::IdleMemory => "idle-memory",
            Self::Accept => "accept",
            Self::Visible => "visible",
            Self::HeldSnapshot => "held-snapshot",
            Self::Users => "users",
            Self::Relay => "relay",
            Self::Backlog => "backlog",
            Self::Gateway => "gateway",
            Self::Saga => "saga",
        }
    }
}

impl Args {
    pub(crate) fn wanted(&self) -> Vec<Name> {
        let wanted = |name: &Name| self.only.is_empty() || self.only.contains(name);
        Name::value_variants().iter().copied().filter(wanted).collect()
    }

    pub(crate) fn plan(&self) -> Plan {
        let plan = if self.quick { Plan::QUICK } else { Plan::FULL };
        Plan { backlog: self.backlog.unwrap_or(plan.backlog), ..plan }
    }
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) mode: &'static str,
    /// How often each of two things that are compared is measured.
    pub(crate) rounds: usize,
    /// How long each time.
    pub(crate) round: Duration,
    /// How long a number of clients is tried before the best is chosen.
    pub(crate) trial: Duration,
    /// The first of PerfTest's seconds do not count, while Java warms up.
    pub(crate) perftest: Duration,
    /// Messages that the relay takes from the outbox in a round.
    pub(crate) relayed: u64,
    /// The large backlog, and the small one that shows the steady rate.
    pub(crate) backlog: u64,
    pub(crate) steady: u64,
}

impl Plan {
    const QUICK: Self = Self {
        mode: "quick",
        rounds: 2,
        round: Duration::from_secs(3),
        trial: Duration::from_millis(700),
        perftest: Duration::from_secs(7),
        relayed: 60_000,
        backlog: 100_000,
        steady: 20_000,
    };

    const FULL: Self = Self {
        mode: "full",
        rounds: 3,
        round: Duration::from_secs(8),
        trial: Duration::from_millis(2_000),
        perftest: Duration::from_secs(11),
        relayed: 200_000,
        backlog: 1_000_000,
        steady: 60_000,
    };

    /// Roughly, for the bar.
    pub(crate) fn expected(&self, name: Name) -> Duration {
        let rounds = self.rounds as u32;
        match name {
            Name::IdleMemory => Duration::from_secs(4),
            Name::Accept => (self.trial * 8) + (self.round * 4 * rounds),
            Name::Visible => self.round * 4 * rounds,
            Name::HeldSnapshot => self.round * 3 * rounds,
            Name::Users => self.round * 4 * rounds,
            Name::Relay => (self.perftest * 2 + Duration::from_secs(self.relayed / 6_000)) * rounds,
            Name::Backlog => Duration::from_secs((self.backlog + 4 * self.steady) / 12_000),
            // Three ways, two routes, closed and open loop.
            Name::Gateway => self.trial * 6 + self.round * 12 * rounds,
            // The shop and its goods, three numbers of clients, then all in turns; and what settles in between.
            Name::Saga => Duration::from_secs(25) + self.round * (5 + 8 * rounds) + self.trial * 9 * rounds,
        }
    }
}
