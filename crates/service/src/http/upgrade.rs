//! Connections that go on in another protocol, such as WebSocket.

use std::sync::Arc;

use axum::extract::Request;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;

use super::connection::{Open, Served};

/// The wish of a request to go on in another protocol, which an answer of 101 grants.
#[derive(Debug)]
pub struct Upgrade {
    pending: OnUpgrade,
    served: Served,
    /// What goes on still counts as a connection.
    open: Arc<Open>,
}

impl Upgrade {
    /// Takes the wish out of a request. `None` if it has none, or if its connection, as with HTTP/2, is not its own.
    pub fn take(request: &mut Request) -> Option<Self> {
        let pending = request.extensions_mut().remove::<OnUpgrade>()?;
        let served = request.extensions().get::<Served>()?.clone();
        let open = served.open()?;
        Some(Self { pending, served, open })
    }

    /// Runs `work` on the connection as soon as 101 was sent, until it ends or the program stops. If another answer is sent,
    /// it never begins.
    pub fn run<F>(self, work: impl FnOnce(TokioIo<Upgraded>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        let Self { pending, served, open } = self;
        let stop = served.stop().clone();
        served.upgraded().spawn(async move {
            let _open = open;
            let working = async {
                if let Ok(upgraded) = pending.await {
                    work(TokioIo::new(upgraded)).await;
                }
            };
            stop.run_until_cancelled(working).await;
        });
    }
}
