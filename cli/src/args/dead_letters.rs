//! The arguments of `warren dead-letters`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::AccessArgs;
use super::values::age;

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetters {
    /// How many are parked beside each queue.
    List {
        #[command(flatten)]
        access: AccessArgs,
    },

    /// The first ones of a queue, with why they were parked. They stay where they are.
    Show {
        #[command(flatten)]
        which: Which,

        /// How many at most, the oldest first.
        #[arg(long, default_value = "20", value_parser = clap::value_parser!(u64).range(1..=100))]
        limit: u64,

        #[command(flatten)]
        access: AccessArgs,
    },

    /// Send them to their queue once more.
    ///
    /// Each is parked until the broker has confirmed its copy. So it can be interrupted and repeated at any time: what is not done
    /// stays parked, and what came twice has the same id.
    Redrive {
        #[command(flatten)]
        which: Which,

        /// How many per second at most.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        rate: Option<u32>,

        #[command(flatten)]
        how: How,

        #[command(flatten)]
        access: AccessArgs,
    },

    /// Throw them away, for good.
    Purge {
        #[command(flatten)]
        which: Which,

        #[command(flatten)]
        how: How,

        #[command(flatten)]
        access: AccessArgs,
    },
}

/// Which dead letters are meant: those to which all that is given applies.
#[derive(Args, Clone, Debug)]
pub(crate) struct Which {
    /// The queue that they were parked from, such as `user_tasks`.
    pub(crate) queue: String,

    /// With this message id.
    #[arg(long)]
    pub(crate) id: Option<String>,

    /// Of this type, such as `user.created`.
    #[arg(long)]
    pub(crate) kind: Option<String>,

    /// Whose reason contains this, in capitals or not.
    #[arg(long)]
    pub(crate) reason: Option<String>,

    /// Parked longer ago than this: 90s, 10m, 2h or 7d.
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(crate) older_than: Option<Duration>,
}

impl Which {
    /// Whether nothing but the queue is said.
    pub(crate) fn is_all(&self) -> bool {
        let Self { id, kind, reason, older_than, .. } = self;
        id.is_none() && kind.is_none() && reason.is_none() && older_than.is_none()
    }
}

/// How something is done to them.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct How {
    /// How many at most, the oldest first.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,

    /// Only count them.
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do not ask whether all of the queue is meant.
    #[arg(long, short)]
    pub(crate) yes: bool,
}
