//! Warren's own programs, as they are shipped: release builds with their default settings.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

/// What is measured.
pub(super) const PROGRAMS: [&str; 8] =
    ["producer", "consumer", "registry", "gateway", "owners", "products", "orders", "payments"];

/// Has cargo build them, or see that nothing changed.
pub(super) fn build() -> anyhow::Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--locked", "--quiet"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    for program in PROGRAMS {
        cargo.args(["--package", program]);
    }
    let status = cargo.stdin(Stdio::null()).status().context("running cargo")?;
    ensure!(status.success(), "cargo could not build {}", PROGRAMS.join(", "));
    Ok(())
}

/// Where a program is: beside this one.
pub(super) fn path(program: &str) -> anyhow::Result<PathBuf> {
    let folder = std::env::current_exe()?;
    let folder = folder.parent().context("this program is in a folder")?;
    ensure!(!cfg!(debug_assertions), "what is not optimised is not worth measuring: cargo run --release -p bench");
    let path = folder.join(program);
    ensure!(path.exists(), "{program} is not built: cargo build --release -p {program}");
    Ok(path)
}

/// A program with no settings but these.
pub(super) fn command(program: &str, settings: &[(&str, String)]) -> anyhow::Result<Command> {
    let mut command = Command::new(path(program)?);
    command.env_clear().envs(settings.iter().map(|(name, value)| (name, value)));
    Ok(command)
}
