//! Warren's open-loop load generator: what Warren does and, beside it, what the servers it stands on can do.

mod args;
mod beside;
mod cpu;
mod load;
mod machine;
mod measure;
mod progress;
mod report;
mod run;
mod stage;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = args::Args::parse();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    // Whichever way this ends, the stage is dropped, and with it all that it started.
    tokio::select! {
        ended = run::run(&args) => ended,
        _ = interrupt.recv() => anyhow::bail!("interrupted"),
        _ = terminate.recv() => anyhow::bail!("told to end"),
    }
}
