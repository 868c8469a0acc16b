//! A user in every store: whichever of them stops while many are created, each user comes to all of them, once, and the
//! tasks tell the truth all along.

mod creating;
mod outage;
mod stored;

use testkit::{Proxy, TestMail, TestSearch, proxy};

use self::creating::User;
use self::outage::Store;
use crate::audit::audit;
use crate::server::{Kind, Servers};
use crate::world::World;

/// How many users are created while a store stops.
const MANY: usize = 1_000;

/// The same of those who are mailed, a few at a time, each in a dialogue of its own.
const MAILED: usize = 200;

/// How many mails go at the same time: so many may be sent again by one outage, with the same Message-ID.
const MAILED_AT_ONCE: usize = 8;

/// A world whose consumer fills every store, and the users that were created in it.
struct Everywhere {
    world: World,
    search: (TestSearch, Proxy),
    mail: Option<(TestMail, Proxy)>,
    users: Vec<User>,
    outages: usize,
}

impl Everywhere {
    /// With these servers private; the search, and a mail server if there is to be one, can be cut off.
    async fn with(private: &[Kind], mails: bool) -> Self {
        let (servers, search) = tokio::join!(Servers::with(private), testkit::search());
        let to_search = proxy(search.url()).await;
        let mut consumer = servers
            .consumer()
            .await
            .env("SEARCH_URL", &to_search.url_for(search.url()))
            .env("SEARCH_USERS_INDEX", &search.index("users"))
            .env("SEARCH_PRODUCTS_INDEX", &search.index("products"));
        let mut mail = None;
        if mails {
            let server = testkit::mail().await;
            let to_server = proxy(server.url()).await;
            consumer = consumer.env("SMTP_URL", &to_server.url_for(server.url()));
            mail = Some((server, to_server));
        }
        let producer = servers.producer();
        let world = World::of(servers, producer, consumer).await;
        Self { world, search: (search, to_search), mail, users: Vec::new(), outages: 0 }
    }

    /// Fails unless all users are in every store, once, and nothing else is. What is said to be done is there at once.
    async fn audit(&self) {
        stored::audit(self).await;
        self.world.settled().await;
        audit(&self.world, &self.users.iter().map(User::write).collect::<Vec<_>>()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_created_while_mongodb_stops_come_to_every_store_once() {
    let mut everywhere = Everywhere::with(&[Kind::Mongodb], false).await;
    everywhere.outage(Store::Server(Kind::Mongodb), MANY).await;
    everywhere.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_created_while_mariadb_redis_and_the_search_stop_in_turn_come_to_every_store_once() {
    let mut everywhere = Everywhere::with(&[Kind::Mysql, Kind::Redis], false).await;
    for store in [Store::Server(Kind::Mysql), Store::Server(Kind::Redis), Store::Search] {
        everywhere.outage(store, MANY).await;
    }
    everywhere.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_created_while_the_mail_server_stops_come_to_every_store_and_are_mailed() {
    // Of one's own, because a welcome that is mailed changes more than once, which the audit of a shared one does not expect.
    let mut everywhere = Everywhere::with(&[Kind::Mongodb], true).await;
    everywhere.outage(Store::Mail, MAILED).await;
    everywhere.audit().await;
}
