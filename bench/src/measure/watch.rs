//! Watches records become visible in MariaDB.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use sqlx::mysql::MySqlConnection;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::load::{Latencies, Requests, Running, Schedule, Tally};
use crate::stage::Stage;

/// No record takes this long after the one before it.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most rows that are looked at together.
const ROWS: u32 = 10_000;

/// What was seen of a load.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) records: u64,
    /// From when each request was due to when its record was first seen.
    pub(super) latencies: Latencies,
    /// When the last record was first seen.
    pub(super) last: Option<Instant>,
    numbers: Numbers,
}

/// Follows a load until all that was accepted can be seen, looking every so often.
pub(super) async fn follow(
    stage: &Stage,
    load: String,
    running: Running,
    every: Duration,
) -> anyhow::Result<(Tally, Seen)> {
    let mut records = stage.records().await?;
    let schedule = running.schedule;
    // How many are to be seen; known when the load has ended.
    let expected = Arc::new(AtomicU64::new(u64::MAX));
    let (told, handle) = (Arc::clone(&expected), Handle::current());
    // A thread of its own, because the runtime's timers are too coarse for what is looked at.
    let watching = tokio::task::spawn_blocking(move || {
        let mut seen = Seen::default();
        let mut changed = Instant::now();
        while seen.records < told.load(Ordering::Relaxed) {
            if handle.block_on(look(&mut records, &load, &schedule, &mut seen))? {
                changed = Instant::now();
            }
            let (seen, expected) = (seen.records, told.load(Ordering::Relaxed));
            ensure!(
                changed.elapsed() < PATIENCE,
                "of {expected} records {seen} became visible, and no more for a minute"
            );
            thread::sleep(every);
        }
        anyhow::Ok(seen)
    });
    let tally = running.ended().await.and_then(|tally| tally.all_accepted().map(|()| tally));
    expected.store(tally.as_ref().map_or(0, |tally| tally.accepted), Ordering::Relaxed);
    let seen = watching.await.context("watching the records")?;
    Ok((tally?, seen?))
}

/// Looks once. Whether there was something new.
async fn look(records: &mut MySqlConnection, load: &str, schedule: &Schedule, seen: &mut Seen) -> anyhow::Result<bool> {
    // A load's SRNs have one length, so their order is that of their numbers, and `~` comes after every digit.
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT srn FROM records WHERE srn >= ? AND srn < ? ORDER BY srn LIMIT ?")
            .bind(Requests::srn(load, seen.numbers.from))
            .bind(format!("{load}-~"))
            .bind(ROWS)
            .fetch_all(records)
            .await?;
    let now = Instant::now();
    let before = seen.records;
    for srn in rows {
        let number = srn.rsplit('-').next().and_then(|number| number.parse().ok()).context("an SRN has a number")?;
        if seen.numbers.is_new(number) {
            seen.records += 1;
            seen.latencies.record(now.saturating_duration_since(schedule.intended(number)));
            seen.last = Some(now);
        }
    }
    Ok(seen.records > before)
}

/// Numbers from 0 that come in almost their order.
#[derive(Default)]
struct Numbers {
    /// All before this one have come.
    from: u64,
    /// Which of those behind have come, the first of them being `from`.
    behind: std::collections::VecDeque<bool>,
}

impl Numbers {
    /// Whether a number comes for the first time.
    fn is_new(&mut self, number: u64) -> bool {
        let Some(at) = number.checked_sub(self.from) else { return false };
        let at = at as usize;
        if self.behind.len() <= at {
            self.behind.resize(at + 1, false);
        }
        let new = !std::mem::replace(&mut self.behind[at], true);
        while self.behind.pop_front_if(|came| *came).is_some() {
            self.from += 1;
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_new_once_in_whatever_order_they_come() {
        let mut numbers = Numbers::default();
        let came: Vec<bool> = [2, 0, 0, 1, 2, 5, 1, 3, 4, 5].map(|number| numbers.is_new(number)).into();
        assert_eq!(came, [true, true, false, true, false, true, false, true, true, false]);
        assert_eq!((numbers.from, numbers.behind.len()), (6, 0));
    }
}
