//! Password hashing by itself: the same function, parameters and number of threads as in the producer.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use argon2::{Argon2, Block};

/// Hashes per second. The producer's default parameters are this crate's.
pub(crate) async fn rate(threads: usize, lasts: Duration) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let hashers: Vec<_> = (0..threads).map(|_| thread::spawn(move || hash_until(begun + lasts))).collect();
    let join = move || hashers.into_iter().map(thread::JoinHandle::join).collect::<Result<Vec<_>, _>>();
    let hashed = tokio::task::spawn_blocking(join).await?;
    let hashed = hashed.ok().context("hashing panicked")?.into_iter().sum::<anyhow::Result<u64>>()?;
    Ok(hashed as f64 / begun.elapsed().as_secs_f64())
}

/// Each thread uses its memory again: what the kernel takes to hand out 19 MB for each hash is not argon2's doing, and
/// comes to more than half of the whole.
fn hash_until(deadline: Instant) -> anyhow::Result<u64> {
    let argon2 = Argon2::default();
    let mut memory = vec![Block::default(); argon2.params().block_count()];
    let (mut hash, mut hashed) = ([0; 32], 0);
    while Instant::now() < deadline {
        argon2
            .hash_password_into_with_memory(b"correct horse", b"sixteen bytes...", &mut hash, &mut memory)
            .map_err(|error| anyhow::anyhow!("hashing: {error}"))?;
        hashed += 1;
    }
    Ok(hashed)
}
