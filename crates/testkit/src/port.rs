//! Ports that no two tests get, in whatever process they run.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use uuid::Uuid;

/// Below the range of outgoing connections (32768 and up), and clear of the ports that `./dev up` uses.
const RANGE: Range<u16> = 10_000..15_000;

/// The locks on ports handed out: they are held until the process ends, so none is handed out twice.
static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port on which nobody listens, and which nobody else is given while this process lives.
///
/// # Panics
/// If the whole range is taken.
pub fn free_port() -> u16 {
    let mut held = HELD.lock().expect("nothing panics while the ports are locked");
    let folder = folder().expect("the temporary folder can be written to");
    // Anywhere in the range, so that processes that start together do not all try the same ports.
    let start = (Uuid::now_v7().as_u128() % RANGE.len() as u128) as usize;
    for port in RANGE.cycle().skip(start).take(RANGE.len()) {
        if let Some(lock) = lock(&folder, port) {
            held.push(lock);
            return port;
        }
    }
    panic!("every port from {} to {} is taken", RANGE.start, RANGE.end)
}

/// One folder for all processes of a user. The files stay: to delete one that somebody else opens would undo its lock.
fn folder() -> io::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("warren-test-ports-{}", rustix::process::getuid().as_raw()));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The lock first, then the question whether anybody listens: a port is asked about by one process at a time.
fn lock(folder: &Path, port: u16) -> Option<File> {
    let file = File::options().create(true).write(true).truncate(false).open(folder.join(port.to_string())).ok()?;
    file.try_lock().ok()?;
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).ok()?;
    Some(file)
}
