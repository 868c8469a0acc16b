//! A load of writes that remembers what the client saw of each.

mod telling;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use system_tests::Site;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use self::telling::{ALL, Story, THROUGH_GATEWAYS, Teller};

/// How many stories are told at the same time; each waits for the answer to its last write.
const AT_ONCE: usize = 32;

/// How far a load runs ahead of what is asked of it: what then stands still is not a busy machine's to catch up with.
const AHEAD: usize = 1_000;

/// How long the load as a whole may take to come to a point.
const PROGRESS_LIMIT: Duration = Duration::from_secs(120);

/// What a client does about a write that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It is repeated with its idempotency key, through the next gateway.
    Repeat,
    /// It has no key, and may not fail.
    Never,
}

/// What a write makes of something.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// This text is stored.
    Text(String),
    /// The record has this name, or is gone.
    Record(String, Option<String>),
    /// The user has this name, or is gone.
    User(Uuid, Option<String>),
}

/// What a client saw of a write.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) wish: Wish,
    /// The task, if the write was accepted; without, nobody knows what became of it.
    pub(crate) task: Option<Uuid>,
}

/// A load under way.
pub(crate) struct Load {
    accepted: watch::Receiver<usize>,
    /// How many writes may be accepted before it rests.
    allowed: watch::Sender<usize>,
    enough: Arc<AtomicBool>,
    told: JoinHandle<Vec<Write>>,
}

impl Load {
    /// Starts a load that goes on until [`finish`](Self::finish), but not far beyond what it is to [reach](Self::reaches).
    pub(crate) fn start(site: &Site) -> Self {
        Self::of(vec![site.clone()], Failed::Repeat, &ALL, AT_ONCE, AHEAD)
    }

    /// Starts a load through gateways, each of which is a site, that goes on until [`finish`](Self::finish).
    pub(crate) fn through(gateways: Vec<Site>, failed: Failed) -> Self {
        Self::of(gateways, failed, &THROUGH_GATEWAYS, AT_ONCE / 2, usize::MAX)
    }

    fn of(sites: Vec<Site>, failed: Failed, kinds: &'static [Story], at_once: usize, allowed: usize) -> Self {
        let (count, accepted) = watch::channel(0);
        let (allowed, may) = watch::channel(allowed);
        let gateways = sites.len();
        let teller = Arc::new(Teller::new(sites, failed, count));
        let enough = Arc::new(AtomicBool::new(false));
        let is_enough = enough.clone();
        let numbers = (0..).take_while(move |_| !is_enough.load(Ordering::Relaxed));
        let is_accepted = accepted.clone();
        let stories = stream::iter(numbers).map(move |number| {
            let (teller, mut may, is_accepted) = (teller.clone(), may.clone(), is_accepted.clone());
            async move {
                let may = may.wait_for(|allowed| *is_accepted.borrow() < *allowed).await.is_ok();
                if may { teller.tell(kinds[number / gateways % kinds.len()], number).await } else { Vec::new() }
            }
        });
        let told = stories.buffer_unordered(at_once).concat();
        Self { accepted, allowed, enough, told: tokio::spawn(told) }
    }

    /// Waits until so many more writes are accepted; the load must go on then.
    pub(crate) async fn goes_on(&mut self, writes: usize) {
        let accepted = *self.accepted.borrow();
        self.reaches(accepted + writes).await;
    }

    /// Waits until so many writes are accepted.
    pub(crate) async fn reaches(&mut self, writes: usize) {
        self.allowed.send_modify(|allowed| *allowed = (*allowed).max(writes + AHEAD));
        let reached = self.accepted.wait_for(|accepted| *accepted >= writes);
        let reached = tokio::time::timeout(PROGRESS_LIMIT, reached).await;
        let reached = reached.unwrap_or_else(|_| panic!("{writes} writes were not accepted in {PROGRESS_LIMIT:?}"));
        reached.expect("the load goes on");
    }

    /// Begins nothing more, waits until all of it is answered, and gives the writes, those of one record or user in their order.
    pub(crate) async fn finish(self) -> Vec<Write> {
        self.enough.store(true, Ordering::Relaxed);
        // Who waits for leave to begin will not get it.
        drop(self.allowed);
        let told = tokio::time::timeout(PROGRESS_LIMIT, self.told).await.expect("a load ends in time");
        told.expect("every write is answered as it should be")
    }
}
