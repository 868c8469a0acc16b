//! The arguments, which are the manual.

mod access;
mod dead_letters;
mod doctor;
mod tasks;
mod values;

use std::io::{Write, stdout};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use access::{AccessArgs, EXAMPLE_PASSWORD, PlaceArgs};
pub(crate) use dead_letters::{DeadLetters, How, Which};
pub(crate) use doctor::DoctorArgs;
pub(crate) use tasks::{DemoArgs, ReindexArgs, ReplayArgs, SeedArgs, TailArgs, What};
pub(crate) use values::{BaseUrl, List, ServiceUrl};

use crate::failure::{EXIT_CODES, Failure};

/// Warren from the command line: see how it is, watch it work, mend it.
///
/// Variables can also stand in a file `.env`. What was asked for is on standard output; errors, and on a terminal how far it is, are on
/// standard error.
#[derive(Debug, Parser)]
#[command(name = "warren", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Print what was done as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) task: Task,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Ask every server and every service how it is, and say what to do about what is not well.
    ///
    /// Servers are asked directly, where the same variables say that the programs read. Each has 5 seconds to answer. If one is ill
    /// that is needed, the exit code is 3.
    Doctor(Box<DoctorArgs>),

    /// Watch one user's way through every store, with times.
    ///
    /// It makes a user, tells of each step, shows what each store holds, and deletes the user again. It needs an admin.
    Demo(DemoArgs),

    /// Show the events as they pass, one line each.
    ///
    /// What passes while nobody watches is not shown later. Who watches disturbs nobody. Ctrl-C ends it, with 0.
    Tail(TailArgs),

    /// See what could not be handled, send it once more, or throw it away. It needs an admin.
    #[command(subcommand)]
    DeadLetters(DeadLetters),

    /// Build an index of the search anew.
    ///
    /// It is built beside the one in use, which is searched until the new one takes its place. If it is interrupted, all stays as it
    /// was. It needs an admin.
    Reindex(ReindexArgs),

    /// Fill a shop with owners and products that look real.
    ///
    /// All of it is made through the public API. The same arguments give the same shop: run again within 24 hours they make
    /// nothing twice, and finish what was not.
    Seed(SeedArgs),

    /// Have services send the present state of all they have again.
    ///
    /// For a broker that was wiped, or a cache that was emptied. It changes nothing: receivers know by the versions what is new
    /// to them. It needs an admin.
    Replay(ReplayArgs),

    /// Print what makes a shell complete this command's arguments.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
}

/// What makes a shell complete the arguments.
pub(crate) fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "warren", &mut script);
    stdout().write_all(&script).map_err(|error| Failure::Partly(format!("nobody reads: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_fit_together() {
        Cli::command().debug_assert();
    }
}
