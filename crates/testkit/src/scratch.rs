//! Folders that go with the test, or, if it was killed, with the next one that runs.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::name;

const PREFIX: &str = "warren-test-folder-";

/// A folder that everybody may enter, as servers run as a user of their own; removed with all its contents.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    /// Locked while the test process lives.
    _owner: File,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        static SWEPT: Once = Once::new();
        SWEPT.call_once(sweep);
        Self::create().expect("the temporary folder can be written to")
    }

    /// The folder gets its name when its lock is held: until then no sweep sees it.
    fn create() -> io::Result<Self> {
        let (name, parent) = (name::unique(), std::env::temp_dir());
        let unnamed = parent.join(format!("warren-{name}"));
        fs::create_dir(&unnamed)?;
        fs::set_permissions(&unnamed, Permissions::from_mode(0o755))?;
        let owner = File::create(unnamed.join("owner"))?;
        owner.lock()?;
        let path = parent.join(format!("{PREFIX}{name}"));
        fs::rename(unnamed, &path)?;
        Ok(Self { path, _owner: owner })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes a folder; tried more than once, as the last processes of a killed server may still write to it.
pub(crate) fn remove(folder: &Path) {
    for _ in 0..50 {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => thread::sleep(Duration::from_millis(20)),
            _ => return,
        }
    }
    eprintln!("{} could not be removed", folder.display());
}

/// Takes away what killed test processes left: their servers and programs, then their folders.
fn sweep() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for folder in entries.flatten().map(|entry| entry.path()) {
        let ours = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        let orphaned = ours && File::open(folder.join("owner")).is_ok_and(|owner| owner.try_lock().is_ok());
        if orphaned {
            signal_all_in(&folder, Signal::KILL);
            remove(&folder);
        }
    }
}

/// A process belongs to a folder if it works in it, as all that we start do, and their children.
pub(crate) fn signal_all_in(folder: &Path, signal: Signal) {
    let Ok(processes) = fs::read_dir("/proc") else { return };
    for process in processes.flatten() {
        let pid = process.file_name().to_str().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
        let inside = fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        if let (Some(pid), true) = (pid, inside) {
            // One that has just ended is as good.
            let _ = kill_process(pid, signal);
        }
    }
}
