//! One store that stops while users are created, and comes back.

use std::ops::Range;

use contracts::topology::queue;
use system_tests::Ask;
use testkit::eventually;
use tokio::sync::watch;

use super::Everywhere;
use super::creating::{all_done_but_for, create};
use crate::server::Kind;

/// What can stop.
#[derive(Clone, Copy, Debug)]
pub(super) enum Store {
    /// A server of the test's own, which is killed.
    Server(Kind),
    /// Cut off.
    Search,
    /// Cut off.
    Mail,
}

impl Store {
    /// The steps of a new user that cannot be done without it.
    fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Server(Kind::Mongodb) => &[queue::USER_TASKS, queue::USER_PREFERENCES, queue::WELCOME_MESSAGES],
            Self::Server(Kind::Redis) => &[queue::USER_SESSIONS],
            Self::Search => &[queue::USER_SEARCH],
            Self::Mail => &[queue::WELCOME_MESSAGES],
            // It holds no users.
            Self::Server(Kind::Mysql) => &[],
            Self::Server(other) => panic!("{other:?} is no store of the consumer"),
        }
    }

    /// What the consumer's health calls it.
    fn dependency(self) -> &'static str {
        match self {
            Self::Server(Kind::Mongodb) => "mongodb",
            Self::Server(Kind::Redis) => "redis",
            Self::Server(Kind::Mysql) => "mysql",
            Self::Search => "search",
            Self::Mail => "smtp",
            Self::Server(other) => panic!("{other:?} is no store of the consumer"),
        }
    }
}

impl Everywhere {
    /// Creates so many users: a quarter before the store stops and as it does so, half of them while it is away, and a quarter
    /// as it comes back. Their tasks tell meanwhile that all is done but what needs the store, and at last that all is done,
    /// at the first try.
    pub(super) async fn outage(&mut self, store: Store, users: usize) {
        let site = &self.world.site;
        let domain = self.mail.as_ref().map_or("example.org", |(mail, _)| mail.domain());
        let (accepted, mut reached) = watch::channel(0);
        let first = self.users.len();
        let numbers = |quarters: Range<usize>| first + quarters.start * users / 4..first + quarters.end * users / 4;

        let stop = async {
            reached.wait_for(|accepted| *accepted >= users / 10).await.expect("users are being created");
            self.stop(store).await;
        };
        let (mut created, ()) = tokio::join!(create(site, numbers(0..1), domain, &accepted), stop);

        let away = create(site, numbers(1..3), domain, &accepted).await;
        all_done_but_for(site, &away, store.steps()).await;
        self.is_missed(store).await;
        // By now all roles that need it have tried.
        all_done_but_for(site, &away, store.steps()).await;

        let last = create(site, numbers(3..4), domain, &accepted);
        let (last, ()) = tokio::join!(last, self.start(store));
        created.extend(away.into_iter().chain(last));
        all_done_but_for(site, &created, &[]).await;
        self.users.extend(created);
        self.outages += 1;
    }

    async fn stop(&self, store: Store) {
        match store {
            Store::Server(kind) => self.world.servers.private(kind).kill9().await,
            Store::Search => self.search.1.cut().await,
            Store::Mail => self.mail_server().cut().await,
        }
    }

    async fn start(&self, store: Store) {
        match store {
            Store::Server(kind) => self.world.servers.private(kind).start().await,
            Store::Search => self.search.1.restore().await,
            Store::Mail => self.mail_server().restore().await,
        }
    }

    fn mail_server(&self) -> &testkit::Proxy {
        &self.mail.as_ref().expect("there are mails in this world").1
    }

    /// Waits until the consumer knows that the store is away, and each role that needs it waits for it.
    async fn is_missed(&self, store: Store) {
        eventually(&format!("the consumer waits for {store:?}"), async || {
            let health = self.world.site.read("/health").answer().await.json();
            let is_down = |name: &&str| health["dependencies"][name]["status"] == "down";
            (is_down(&store.dependency()) && store.steps().iter().all(is_down)).then_some(())
        })
        .await;
    }
}
