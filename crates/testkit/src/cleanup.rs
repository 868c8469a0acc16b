//! Taking away what a test owned, from `Drop`, where nothing can be awaited.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long a test's end waits for its leftovers to be taken away.
const LIMIT: Duration = Duration::from_secs(5);

/// Runs `work` to its end on a thread with a runtime of its own. What fails is left lying: its name is not used again.
pub(crate) fn run<Fut>(work: Fut)
where
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() {
            let result = runtime.block_on(async { tokio::time::timeout(LIMIT, work).await });
            if let Ok(Err(error)) = result {
                eprintln!("what a test owned could not be taken away: {error:#}");
            }
            runtime.shutdown_background();
        }
        // Nobody listens any more if the limit has passed.
        let _ = done.send(());
    });
    // The process may end right after its last test, and the thread with it: so wait.
    let _ = ended.recv_timeout(LIMIT);
}
