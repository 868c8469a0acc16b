//! Warren from the command line.

mod access;
mod api;
mod args;
mod directory;
mod failure;
mod progress;
mod replay;
mod seed;

use std::process::ExitCode;

use clap::CommandFactory;

use args::{Cli, Task};

#[tokio::main]
async fn main() -> ExitCode {
    let cli: Cli = service::load();
    let done = match cli.task {
        Task::Seed(args) => seed::run(args, cli.json).await,
        Task::Replay(args) => replay::run(args, cli.json).await,
        Task::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "warren", &mut std::io::stdout());
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("warren: {failure}");
            failure.exit_code()
        }
    }
}
