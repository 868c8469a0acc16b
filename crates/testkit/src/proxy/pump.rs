//! One direction of a connection.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::Mode;

/// Passes bytes on while the way is open, and at last their end.
pub(super) async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut mode: watch::Receiver<Mode>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        // After reading, so that what comes in a black hole is kept, the end included.
        until_open(&mut mode).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}

/// Waits while nothing may pass.
pub(super) async fn until_open(mode: &mut watch::Receiver<Mode>) -> io::Result<()> {
    let open = mode.wait_for(|mode| *mode == Mode::Open).await;
    open.map(drop).map_err(|_| io::ErrorKind::ConnectionAborted.into())
}
