//! Where messages go, made by a process that only sends.

use messaging::{Backoff, Broker};
use tokio_util::sync::CancellationToken;

/// Declares the topology once the broker is there, in the background. Who consumes does so anyway; where nobody does, messages
/// wait in their documents for it.
pub async fn declare(broker: Broker, stop: CancellationToken) {
    let declaring = async {
        for wait in Backoff::RECONNECT.delays() {
            if broker.declare().await.is_ok() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    };
    let _ = stop.run_until_cancelled(declaring).await;
    stop.cancelled().await;
}
