//! Turns SIGTERM and SIGINT into a token that all parts of a program watch.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The token is cancelled by the first SIGTERM or SIGINT; a second one ends the process at once.
///
/// # Panics
/// Outside of a Tokio runtime.
pub fn stop_on_signal() -> CancellationToken {
    let stop = CancellationToken::new();
    let mut terminate = listen_for(SignalKind::terminate());
    let mut interrupt = listen_for(SignalKind::interrupt());
    tokio::spawn({
        let stop = stop.clone();
        async move {
            let name = next(&mut terminate, &mut interrupt).await.0;
            tracing::info!(signal = name, "stopping; a second signal ends the process at once");
            stop.cancel();
            let (name, number) = next(&mut terminate, &mut interrupt).await;
            tracing::warn!(signal = name, "ending at once, without finishing what is in flight");
            std::process::exit(128 + number);
        }
    });
    stop
}

fn listen_for(kind: SignalKind) -> Signal {
    signal(kind).expect("a runtime with its I/O driver can listen for signals")
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> (&'static str, i32) {
    tokio::select! {
        _ = terminate.recv() => ("SIGTERM", SignalKind::terminate().as_raw_value()),
        _ = interrupt.recv() => ("SIGINT", SignalKind::interrupt().as_raw_value()),
    }
}
