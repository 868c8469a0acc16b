//! Work that is finished even when nobody waits for it any more.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// A future that goes on in the background when it is dropped before its end.
///
/// A client that leaves, or a time limit, must not stop a handler in the middle: a database transaction dropped while it
/// begins is handed back open, and a driver's future dropped midway loses its connection.
pub(crate) struct Detach<T: Send + 'static> {
    work: Option<BoxFuture<'static, T>>,
    background: TaskTracker,
}

impl<T: Send + 'static> Detach<T> {
    pub(crate) fn new(work: impl Future<Output = T> + Send + 'static, background: TaskTracker) -> Self {
        Self { work: Some(Box::pin(work)), background }
    }
}

impl<T: Send + 'static> Future for Detach<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let work = self.work.as_mut().expect("a future is not polled after its end");
        let result = work.as_mut().poll(cx);
        if result.is_ready() {
            self.work = None;
        }
        result
    }
}

impl<T: Send + 'static> Drop for Detach<T> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take()
            && let Ok(runtime) = Handle::try_current()
        {
            self.background.spawn_on(work, &runtime);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_nobody_waits_for_is_finished_all_the_same() {
        let background = TaskTracker::new();
        let (done, finished) = oneshot::channel();
        let work = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            done.send("finished").unwrap();
        };
        let waiting = tokio::time::timeout(Duration::from_secs(1), Detach::new(work, background.clone()));
        assert!(waiting.await.is_err());
        assert_eq!(background.len(), 1);
        assert_eq!(finished.await, Ok("finished"));
    }
}
