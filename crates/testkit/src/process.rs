//! A process that a test starts, pauses and kills, and what it wrote.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::eventually::within;

/// How much of a log a failure shows.
const TAIL_LINES: usize = 40;

/// Where nothing can be awaited, an end is waited for this many times this long: 5 s.
const DROP_LOOKS: u32 = 500;
const DROP_INTERVAL: Duration = Duration::from_millis(10);

/// One process at a time, started as often as the test wants; killed on drop.
#[derive(Debug)]
pub(crate) struct Process {
    what: String,
    log: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Process {
    /// Nothing runs yet. Output of every start is appended to one file in `folder`.
    pub(crate) fn new(what: &str, folder: &Path) -> Self {
        Self { what: what.to_owned(), log: folder.join("log"), child: Mutex::new(None) }
    }

    /// Starts `command`. A file takes its output: nobody has to read it, and what a killed server leaves may keep it.
    pub(crate) fn start(&self, command: &mut Command) {
        let mut child = self.lock();
        if let Some(child) = child.as_mut() {
            assert!(status(child).is_some(), "{} runs already", self.what);
        }
        let log = File::options().create(true).append(true).open(&self.log).expect("the log is in our own folder");
        let errors = log.try_clone().expect("a descriptor is free");
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        *child = Some(command.spawn().unwrap_or_else(|error| panic!("{} does not start: {error}", self.what)));
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.lock().as_ref().unwrap_or_else(|| panic!("{} was never started", self.what)).id()
    }

    /// How it ended, or `None` while it runs.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        status(self.lock().as_mut().unwrap_or_else(|| panic!("{} was never started", self.what)))
    }

    /// Sends a signal; one that ended already gets none, as its number may be somebody else's by now.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(child) = self.lock().as_mut()
            && status(child).is_none()
        {
            kill_process(Pid::from_child(child), signal).expect("our own children may be signalled");
        }
    }

    /// Whatever panicked while it was held, the child is what it was.
    fn lock(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// After the limit, with the end of the log.
    pub(crate) async fn end(&self, limit: Duration) -> ExitStatus {
        let ended = within(limit, || async { self.ended() }).await;
        ended.unwrap_or_else(|| panic!("{} did not end within {limit:?}; its log:\n{}", self.what, self.log_tail()))
    }

    /// Waits a little for what was told to end; `Drop` then kills it.
    pub(crate) fn end_blocking(&self) {
        for _ in 0..DROP_LOOKS {
            if self.lock().as_mut().is_none_or(|child| status(child).is_some()) {
                return;
            }
            thread::sleep(DROP_INTERVAL);
        }
    }

    /// All it wrote, over all starts.
    pub(crate) fn log(&self) -> String {
        fs::read(&self.log).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }

    /// The last lines it wrote.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        if let Some(child) = self.lock().as_mut() {
            let _ = child.wait();
        }
    }
}

fn status(child: &mut Child) -> Option<ExitStatus> {
    child.try_wait().expect("a child can be asked whether it ended")
}
