//! Finishes what ran out of time, and what somebody left behind.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use service::ApiResult;
use tokio_util::sync::CancellationToken;

use super::stockroom::Stockroom;
use super::store::Store;

const EVERY: Duration = Duration::from_secs(1);

/// How many reservations are finished at the same time.
const AT_ONCE: usize = 8;

impl<S: Store> Stockroom<S> {
    /// Finishes some of what is due, and returns how much it did. Any number of processes may do this at once.
    ///
    /// # Errors
    /// If the store does not tell what is due. What cannot be finished is due again later.
    pub async fn sweep(&self) -> ApiResult<usize> {
        let settling = stream::iter(self.store.due().await?).map(async |reservation| {
            let order_id = reservation.order_id;
            self.settle(reservation).await.unwrap_or_else(|error| {
                tracing::warn!(%order_id, %error, "a reservation could not be finished; it will be tried again");
                false
            })
        });
        let settled: Vec<bool> = settling.buffer_unordered(AT_ONCE).collect().await;
        Ok(settled.into_iter().filter(|settled| *settled).count())
    }

    /// Sweeps every second, until the stop.
    pub async fn sweep_until(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.sweep().await {
                Ok(0) => {}
                // There may be more.
                Ok(_) => continue,
                Err(error) => tracing::debug!(%error, "reservations that are due could not be read"),
            }
            // Not in step with other processes, which would look after the same ones.
            let _ = stop.run_until_cancelled(tokio::time::sleep(EVERY.mul_f64(rand::random_range(0.75..1.25)))).await;
        }
    }
}
