//! A folder for the servers' data, on a disk: what is measured is what it costs to be safe.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, ensure};

/// File systems that live in memory, on which a sync costs nothing.
const IN_MEMORY: [&str; 2] = ["tmpfs", "ramfs"];

/// Makes a folder that the servers' user can enter. It is removed at the end by [`Reaper`](super::reaper::Reaper).
pub(super) fn make(chosen: Option<&Path>) -> anyhow::Result<PathBuf> {
    let parent = match chosen {
        Some(chosen) => chosen.to_owned(),
        None => on_disk()?,
    };
    fs::create_dir_all(&parent)?;
    let parent = parent.canonicalize()?;
    let kind = file_system(&parent)?;
    ensure!(!IN_MEMORY.contains(&kind.as_str()), "the chosen folder is on a {kind}, where nothing is ever synced");
    let folder = parent.join(format!("warren-bench-{}", process::id()));
    fs::create_dir(&folder).context("making a folder for the servers' data")?;
    fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
    Ok(folder)
}

fn on_disk() -> anyhow::Result<PathBuf> {
    // The second is kept over restarts, and so is never in memory.
    for folder in [std::env::temp_dir(), PathBuf::from("/var/tmp")] {
        if folder.is_dir() && !IN_MEMORY.contains(&file_system(&folder)?.as_str()) {
            return Ok(folder);
        }
    }
    anyhow::bail!("no temporary folder is on a disk; choose one with --data")
}

/// The kind of file system a folder is on.
fn file_system(folder: &Path) -> anyhow::Result<String> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("reading what is mounted")?;
    Ok(kind_in(&mounts, folder).unwrap_or_default())
}

/// The deepest mount counts, and of several in one place the last.
fn kind_in(mounts: &str, folder: &Path) -> Option<String> {
    let mounted = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (at, kind) = (Path::new(fields.next()?), fields.next()?);
        folder.starts_with(at).then_some((at.components().count(), kind))
    });
    mounted.max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_tells_the_kind() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /tmp/data xfs rw 0 0\n";
        for (folder, kind) in [("/var/tmp", "ext4"), ("/tmp", "tmpfs"), ("/tmpfile", "ext4"), ("/tmp/data/x", "xfs")] {
            assert_eq!(kind_in(mounts, Path::new(folder)).as_deref(), Some(kind), "{folder}");
        }
    }
}
