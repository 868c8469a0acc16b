//! The load generator: a fixed number of connections on one thread, fed by a schedule or by their own answers.

mod connection;
mod orders;
mod schedule;
mod tally;
mod work;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub(crate) use connection::Requests;
pub(crate) use orders::Orders;
pub(crate) use schedule::Schedule;
pub(crate) use tally::{Latencies, Tally};

use connection::Connection;
use work::{Arrivals, work};

/// How long answers are waited for after the last request was due.
const PATIENCE: Duration = Duration::from_secs(10);
/// Requests that are due and wait for a connection, for each connection; more wait in the schedule.
const WAITING: usize = 64;
/// No load sends more requests than this.
const AT_MOST: u64 = 5_000_000;

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pattern {
    /// Each connection sends when it was answered: as fast as it goes.
    Closed,
    /// So many a second, whether they are answered or not.
    Open(f64),
}

/// A load to be put on a server.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) to: SocketAddr,
    pub(crate) requests: Requests,
    pub(crate) connections: usize,
    pub(crate) pattern: Pattern,
    pub(crate) lasts: Duration,
}

/// A load under way.
pub(crate) struct Running {
    /// Open loop: when each request is due.
    pub(crate) schedule: Schedule,
    ended: oneshot::Receiver<anyhow::Result<Tally>>,
}

impl Running {
    pub(crate) async fn ended(self) -> anyhow::Result<Tally> {
        self.ended.await.context("the load's thread ended by itself")?
    }
}

impl Load {
    /// Puts the load on and waits for its end, which comes in bounded time.
    pub(crate) async fn run(self) -> anyhow::Result<Tally> {
        self.start().await?.ended().await
    }

    /// Opens the connections and begins. It has a thread of its own, so that nothing else in this process delays it.
    pub(crate) async fn start(self) -> anyhow::Result<Running> {
        let (begin, begun) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        thread::Builder::new().name("load".to_owned()).spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            let tally =
                runtime.context("starting the load's runtime").and_then(|runtime| runtime.block_on(self.go(begin)));
            // Whoever asked may have been interrupted.
            let _ = end.send(tally);
        })?;
        match begun.await {
            Ok(schedule) => Ok(Running { schedule, ended }),
            Err(_) => Err(ended.await.context("the load's thread ended by itself")?.err().context("it never began")?),
        }
    }

    async fn go(self, begin: oneshot::Sender<Schedule>) -> anyhow::Result<Tally> {
        let requests = Arc::new(self.requests.clone());
        let mut connections = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            connections.push(Connection::open(self.to, Arc::clone(&requests)).await?);
        }
        let (schedule, arrivals) = self.arrivals()?;
        let deadline = schedule.start + self.lasts + PATIENCE;
        let _ = begin.send(schedule);

        let arrivals = Arc::new(arrivals);
        let mut workers = JoinSet::new();
        for mut connection in connections {
            let arrivals = Arc::clone(&arrivals);
            workers.spawn(async move { work(&arrivals, &mut connection, deadline).await });
        }
        let mut tally = Tally::default();
        while let Some(worker) = workers.join_next().await {
            tally.add(&worker.context("a connection panicked")?);
        }
        arrivals.left_over(&mut tally);
        Ok(tally)
    }

    fn arrivals(&self) -> anyhow::Result<(Schedule, Arrivals)> {
        match self.pattern {
            Pattern::Closed => {
                let start = Instant::now();
                let next = AtomicU64::new(0);
                let arrivals = Arrivals::Closed { start, until: start + self.lasts, next, at_most: AT_MOST };
                Ok((Schedule { start, every: Duration::ZERO, count: 0 }, arrivals))
            }
            Pattern::Open(rate) => {
                let schedule = Schedule::new(Instant::now() + Duration::from_millis(20), rate, self.lasts);
                anyhow::ensure!(schedule.count <= AT_MOST, "{} requests are too many", schedule.count);
                let (queue, due) = mpsc::channel(self.connections * WAITING);
                thread::Builder::new().name("schedule".to_owned()).spawn(move || schedule.pace(&queue))?;
                Ok((schedule, Arrivals::open(schedule, due)))
            }
        }
    }
}
