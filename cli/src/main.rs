//! Warren from the command line.

mod access;
mod api;
mod args;
mod dead_letters;
mod demo;
mod directory;
mod doctor;
mod failure;
mod out;
mod parts;
mod progress;
mod reindex;
mod replay;
mod seed;
mod tail;

use std::process::ExitCode;

use args::{Cli, Task};

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { json, task } = service::load();
    let done = match task {
        Task::Doctor(args) => doctor::run(*args, json).await,
        Task::Demo(args) => demo::run(args, json).await,
        Task::Tail(args) => tail::run(args, json).await,
        Task::DeadLetters(args) => dead_letters::run(args, json).await,
        Task::Reindex(args) => reindex::run(args, json).await,
        Task::Seed(args) => seed::run(args, json).await,
        Task::Replay(args) => replay::run(args, json).await,
        Task::Completions { shell } => args::completions(shell),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out::error(&format!("warren: {failure}"));
            failure.exit_code()
        }
    }
}
