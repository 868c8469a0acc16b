//! A process that this program started: only those are ever signalled.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use super::reaper::Reaper;

/// How many lines of its log an error shows.
const TAIL_LINES: usize = 15;
/// How long an orderly end may take before it is a kill.
const PATIENCE: Duration = Duration::from_secs(25);

/// A process; ended when it is dropped.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
    end_by: Signal,
    reaper: Arc<Reaper>,
}

impl Process {
    /// Starts a command that logs to a file in `folder`, in a process group of its own: Ctrl-C is for us alone.
    pub(super) fn start(
        name: &'static str,
        mut command: Command,
        folder: &Path,
        end_by: Signal,
        reaper: &Arc<Reaper>,
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        let errors = output.try_clone()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        reaper.started(child.id())?;
        Ok(Self { name, child, log, end_by, reaper: Arc::clone(reaper) })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error with the end of its log, if it has ended.
    pub(super) fn still_runs(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("{} ended with {status}; its log:\n{}", self.name, self.log_tail()),
        }
    }

    /// The last lines it logged.
    pub(super) fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    /// Asks it to end, and kills it if it does not.
    pub(super) fn end(&mut self, signal: Signal) {
        let deadline = Instant::now() + PATIENCE;
        self.signal(signal);
        while self.status().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.signal(Signal::KILL);
        let _ = self.child.wait();
        self.reaper.ended(self.child.id());
    }

    /// Waits until it ends by itself, and gives what it wrote.
    pub(crate) async fn finished(mut self, within: Duration) -> anyhow::Result<String> {
        let deadline = Instant::now() + within;
        while self.status().is_none() {
            ensure!(Instant::now() < deadline, "{} did not end in time", self.name);
            sleep(Duration::from_millis(20)).await;
        }
        let status = self.child.wait()?;
        ensure!(status.success(), "{} ended with {status}:\n{}", self.name, self.log_tail());
        let log = fs::read(&self.log)?;
        // The next run of the same tool begins its own.
        fs::remove_file(&self.log)?;
        Ok(String::from_utf8_lossy(&log).into_owned())
    }

    fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// One that has ended gets none: its number may be somebody else's by now.
    fn signal(&mut self, signal: Signal) {
        if self.status().is_none() {
            let _ = kill_process(Pid::from_child(&self.child), signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(self.end_by);
    }
}
