//! Cleans up behind this process however it ends, `kill -9` included.
//!
//! A small shell reads from a pipe which processes were started and which have ended. When the pipe closes, because this
//! process has, it kills what is left and removes the folder.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;

/// QUIT first: a Postgres that is killed otherwise leaves shared memory behind.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
running=' '
while read -r what pid; do
  case $what in
    started) running="$running$pid " ;;
    ended) running=${running%%" $pid "*}" "${running#*" $pid "} ;;
  esac
done
for signal in QUIT KILL; do
  for pid in $running; do kill -s "$signal" "$pid" 2>/dev/null; done
  [ "$running" = ' ' ] || sleep 1
done
for try in 1 2 3; do rm -rf "$1" 2>/dev/null && break; sleep 1; done
"#;

/// The shell that cleans up.
pub(super) struct Reaper {
    told: Mutex<Option<ChildStdin>>,
    shell: Mutex<Child>,
}

impl Reaper {
    pub(super) fn start(folder: &Path) -> anyhow::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "reaper"])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("starting the shell that cleans up")?;
        Ok(Self { told: Mutex::new(shell.stdin.take()), shell: Mutex::new(shell) })
    }

    pub(super) fn started(&self, pid: u32) -> anyhow::Result<()> {
        self.tell("started", pid).context("the shell that cleans up is gone")
    }

    pub(super) fn ended(&self, pid: u32) {
        // Without the shell there is nobody to be misled.
        let _ = self.tell("ended", pid);
    }

    fn tell(&self, what: &str, pid: u32) -> std::io::Result<()> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.as_mut().map_or(Ok(()), |pipe| writeln!(pipe, "{what} {pid}"))
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = self.shell.lock().unwrap_or_else(PoisonError::into_inner).wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_still_runs_is_killed_and_what_has_ended_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("warren-bench-reaper-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let sleeper = || Command::new("sleep").arg("60").spawn().unwrap();
        let (mut left, mut ended, mut other) = (sleeper(), sleeper(), sleeper());
        let reaper = Reaper::start(&folder).unwrap();
        for child in [&ended, &left] {
            reaper.started(child.id()).unwrap();
        }
        reaper.ended(ended.id());
        drop(reaper);
        assert!(left.wait().unwrap().code().is_none(), "it was killed");
        assert!(!folder.exists());
        for child in [&mut ended, &mut other] {
            assert!(child.try_wait().unwrap().is_none(), "it runs on");
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
