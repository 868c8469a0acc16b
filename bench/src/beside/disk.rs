//! What it costs to be safe: an append that is on the disk.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;

use crate::load::Latencies;

/// About what a small commit writes.
const BYTES: [u8; 512] = [b'x'; 512];

/// How long `appends` one after another take, each on the disk before the next; so many times.
pub(crate) async fn floor(folder: &Path, appends: usize, times: usize) -> anyhow::Result<Latencies> {
    let path = folder.join("append");
    let floor = tokio::task::spawn_blocking(move || {
        let mut file = File::create(&path)?;
        let mut floor = Latencies::default();
        for _ in 0..times {
            let begun = Instant::now();
            for _ in 0..appends {
                file.write_all(&BYTES)?;
                file.sync_data()?;
            }
            floor.record(begun.elapsed());
        }
        fs::remove_file(&path)?;
        anyhow::Ok(floor)
    });
    floor.await.context("measuring the disk")?.context("writing to the disk")
}
