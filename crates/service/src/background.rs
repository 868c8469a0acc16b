//! Work that goes on beside serving, for as long as the program runs.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Tasks that never end by themselves, and that are stopped after what needs them.
#[derive(Debug, Default)]
pub struct Background {
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Background {
    /// Starts a task, which gets the token that stops it.
    pub fn spawn<F>(&mut self, work: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(work(self.stop.clone()));
    }

    /// Waits until `serving` has ended, and then stops the tasks, which have `within` to finish.
    ///
    /// # Errors
    /// Those of `serving`; or if a task has ended before, which must have panicked: better to be started again than to half
    /// work.
    pub async fn beside(
        mut self,
        serving: impl Future<Output = anyhow::Result<()>>,
        within: Duration,
    ) -> anyhow::Result<()> {
        let ended = async {
            match self.tasks.join_next().await {
                Some(ended) => ended,
                None => std::future::pending().await,
            }
        };
        let served = tokio::select! {
            served = serving => served,
            ended = ended => anyhow::bail!("a background task ended: {ended:?}"),
        };
        self.stop.cancel();
        let finishing = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(within, finishing).await.is_err() {
            tracing::warn!("background tasks did not end in time");
        }
        served
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tasks_outlive_serving_and_are_waited_for() {
        let mut background = Background::default();
        let (sender, mut receiver) = tokio::sync::mpsc::channel(2);
        let flushed = sender.clone();
        background.spawn(|stop| async move {
            stop.cancelled().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            let _ = flushed.send("flushed").await;
        });
        let serving = async move {
            let _ = sender.send("served").await;
            Ok(())
        };
        background.beside(serving, Duration::from_secs(5)).await.unwrap();
        assert_eq!((receiver.recv().await, receiver.recv().await), (Some("served"), Some("flushed")));
    }

    #[tokio::test]
    async fn a_task_that_panics_ends_the_program() {
        let mut background = Background::default();
        background.spawn(|_| async { panic!("a bug") });
        let ended = background.beside(std::future::pending(), Duration::from_secs(5)).await;
        assert!(ended.unwrap_err().to_string().contains("background task"));
    }

    #[tokio::test]
    async fn a_program_without_tasks_just_serves() {
        Background::default().beside(async { Ok(()) }, Duration::from_secs(5)).await.unwrap();
    }
}
