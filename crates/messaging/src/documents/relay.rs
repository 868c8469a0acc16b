//! The relay: sends what was just written, and sweeps up what nobody sent.

use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex as StdMutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::claims::Claims;
use super::pause::Pause;
use super::settings::RelaySettings;
use super::store::Store;
use super::{Waiting, gauges};
use crate::{Line, Lines, Publisher};

const COUNT_EVERY: Duration = Duration::from_secs(5);

/// Publishes what the documents of a collection hold. Each process may run one; none of them leads.
#[must_use = "a relay does nothing until it is run"]
pub struct Relay {
    pub(super) store: Store,
    pub(super) claims: Claims,
    pub(super) publisher: Publisher,
    pub(super) settings: RelaySettings,
    pub(super) pause: Pause,
    /// How many unreadable entries the last sweep saw.
    pub(super) unreadable: AtomicUsize,
    written: Mutex<mpsc::Receiver<Waiting>>,
    /// The entries of one document follow one another.
    lines: StdMutex<Lines>,
}

impl Relay {
    pub(super) fn new(
        store: Store,
        claims: Claims,
        publisher: Publisher,
        written: mpsc::Receiver<Waiting>,
        settings: RelaySettings,
    ) -> Self {
        let (pause, unreadable, written) = (Pause::new(), AtomicUsize::new(0), Mutex::new(written));
        let lines = StdMutex::new(Lines::new());
        Self { store, claims, publisher, settings, pause, unreadable, written, lines }
    }

    /// Runs until it is stopped, whatever happens to the database and the broker. On a stop it finishes, within a limit,
    /// what was written and what is in flight; the rest is for other processes, or for the next start.
    pub async fn run(self, stop: CancellationToken) {
        let senders = join_all((0..self.settings.batches_in_flight.max(1)).map(|_| self.send_written(&stop)));
        let work = async { tokio::join!(senders, self.sweep(&stop), self.count(&stop)) };
        tokio::select! {
            _ = work => {}
            () = self.patience(&stop) => {
                tracing::warn!(
                    collection = self.store.name(),
                    "stopped before all that was in flight was confirmed; it will be sent again"
                );
            }
        }
    }

    /// Ends some time after the stop.
    async fn patience(&self, stop: &CancellationToken) {
        stop.cancelled().await;
        sleep(self.settings.stop_within).await;
    }

    /// Sends batch after batch. Whatever waits goes together, while others of its kind await their confirms.
    async fn send_written(&self, stop: &CancellationToken) {
        loop {
            self.pause.over(stop).await;
            let batch = self.next_batch(stop).await;
            if batch.is_empty() {
                return;
            }
            self.send(batch).await;
        }
    }

    /// What waits; nothing when nothing will come any more.
    async fn next_batch(&self, stop: &CancellationToken) -> Vec<Line<Waiting>> {
        let mut batch = Vec::new();
        let mut written = self.written.lock().await;
        tokio::select! {
            biased;
            _ = written.recv_many(&mut batch, self.settings.batch.max(1)) => {}
            () = stop.cancelled() => {}
        }
        // Before another batch is taken.
        self.line_up(batch)
    }

    /// Lines entries up behind those of the same documents that are under way.
    pub(super) fn line_up(&self, entries: Vec<Waiting>) -> Vec<Line<Waiting>> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.line_up(entries, |waiting| Some(waiting.document.to_string()))
    }

    async fn sweep(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            self.pause.over(stop).await;
            while !stop.is_cancelled() && self.sweep_page().await {}
            // Not in step with other processes, which would send the same.
            self.rest(self.settings.sweep_every.mul_f64(rand::random_range(0.75..1.25)), stop).await;
        }
    }

    async fn count(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            // If it fails the sweep fails too, and tells.
            if let Ok(counts) = self.store.count().await {
                gauges::waiting(self.store.name(), &counts);
            }
            self.rest(COUNT_EVERY, stop).await;
        }
    }

    async fn rest(&self, wait: Duration, stop: &CancellationToken) {
        tokio::select! {
            () = sleep(wait) => {}
            () = stop.cancelled() => {}
        }
    }
}
