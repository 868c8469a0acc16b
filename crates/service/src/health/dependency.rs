//! Asking one dependency how it is, no more often than makes sense.

use std::fmt::Display;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::report::{DependencyReport, Status};
use crate::redact::redact;

/// How long a check may take before the dependency counts as down.
const LIMIT: Duration = Duration::from_secs(2);

/// How long a result is shared: however often `/health` is asked, the stores are not.
const SHARED: Duration = Duration::from_secs(1);

/// Whether a process can work without a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It cannot: `/health` is 503 while it is down.
    Required,
    /// It can: `/health` says `degraded`.
    Optional,
}

type Check = Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

pub(super) struct Dependency {
    name: &'static str,
    need: Need,
    check: Check,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When the last check ended, how long it took, and how.
    last: Option<(Instant, Duration, Result<(), String>)>,
    last_error: Option<(Instant, String)>,
    /// A check that has not ended within its limit. It is never dropped midway, and no second one runs beside it.
    running: Option<JoinHandle<Result<(), String>>>,
}

impl Dependency {
    pub(super) fn new<C, F, E>(name: &'static str, need: Need, check: C) -> Self
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let check = move || check().map(|result| result.map_err(|error| redact(&format!("{error:#}")))).boxed();
        Self { name, need, check: Box::new(check), state: Mutex::default() }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) async fn report(&self) -> (&'static str, DependencyReport) {
        // Who comes while a check runs waits here for its result.
        let mut state = self.state.lock().await;
        if state.last.as_ref().is_none_or(|(ended, ..)| ended.elapsed() >= SHARED) {
            self.ask(&mut state).await;
        }
        let (_, took, result) = state.last.as_ref().expect("it was just asked");
        let report = DependencyReport {
            status: if result.is_ok() { Status::Up } else { Status::Down },
            required: self.need == Need::Required,
            latency_ms: took.as_micros() as f64 / 1_000.0,
            last_error: state.last_error.as_ref().map(|(_, error)| error.clone()),
            last_error_seconds_ago: state.last_error.as_ref().map(|(at, _)| at.elapsed().as_secs()),
        };
        (self.name, report)
    }

    async fn ask(&self, state: &mut State) {
        let begun = Instant::now();
        let running = state.running.get_or_insert_with(|| tokio::spawn((self.check)()));
        let result = match timeout(LIMIT, running).await {
            Ok(ended) => {
                state.running = None;
                ended.unwrap_or_else(|_| Err("the check panicked".to_owned()))
            }
            Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
        };
        let ended = Instant::now();
        if let Err(error) = &result {
            if !matches!(state.last, Some((_, _, Err(_)))) {
                tracing::warn!(dependency = self.name, error, "a dependency is down");
            }
            state.last_error = Some((ended, error.clone()));
        } else if matches!(state.last, Some((_, _, Err(_)))) {
            tracing::info!(dependency = self.name, "a dependency is up again");
        }
        state.last = Some((ended, ended - begun, result));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn counting(
        answer: impl Fn(usize) -> BoxFuture<'static, Result<(), String>> + Send + Sync + 'static,
    ) -> (Dependency, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        (Dependency::new("store", Need::Required, move || answer(counter.fetch_add(1, Ordering::Relaxed))), asked)
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_callers_ask_the_store_once_a_second() {
        let (store, asked) = counting(|_| async { Ok(()) }.boxed());
        let reports = futures_util::future::join_all((0..100).map(|_| store.report())).await;
        assert!(reports.iter().all(|(_, report)| report.status == Status::Up));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        tokio::time::advance(SHARED).await;
        store.report().await;
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_is_down_and_not_started_again() {
        let (store, asked) = counting(|_| std::future::pending().boxed());
        for _ in 0..3 {
            let (_, report) = store.report().await;
            assert_eq!(report.last_error.as_deref(), Some("no answer within 2 s"));
            tokio::time::advance(SHARED).await;
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_error_is_remembered_without_its_password() {
        let (store, _) = counting(|call| {
            async move { if call == 0 { Err("no way to amqp://me:secret@host/".to_owned()) } else { Ok(()) } }.boxed()
        });
        assert_eq!(store.report().await.1.status, Status::Down);
        tokio::time::advance(Duration::from_secs(7)).await;
        let (_, report) = store.report().await;
        assert_eq!(report.status, Status::Up);
        assert_eq!(report.last_error.as_deref(), Some("no way to amqp://***@host/"));
        assert_eq!(report.last_error_seconds_ago, Some(7));
    }

    #[tokio::test]
    async fn a_check_that_panics_is_down() {
        let (store, _) = counting(|_| async { panic!("a bug in the check") }.boxed());
        assert_eq!(store.report().await.1.status, Status::Down);
    }
}
