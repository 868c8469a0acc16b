//! The servers of one world, each either a place of its own on a shared server or a server that may be killed.

use sqlx::{MySqlPool, PgPool};
use testkit::{PrivateServer, TestMongo, TestMysql, TestPostgres, TestRabbit, TestRedis};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How many worlds there are at a time, however many tests run: each is a whole system under load, and on a machine of two cores a
/// third would have its calls time out.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    Mysql,
    Mongodb,
    Redis,
    Rabbitmq,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Postgres, Self::Mysql, Self::Mongodb, Self::Redis, Self::Rabbitmq];
}

/// A place on a shared server, or a server.
pub(crate) enum Place<T> {
    Shared(T),
    Private(Box<PrivateServer>),
}

/// The servers of one world.
pub(crate) struct Servers {
    private: Vec<Kind>,
    postgres: Place<TestPostgres>,
    mysql: Place<TestMysql>,
    mongodb: Place<TestMongo>,
    redis: Place<TestRedis>,
    rabbitmq: Place<TestRabbit>,
    _one_of_few: SemaphorePermit<'static>,
}

impl Servers {
    /// Those named are private, the others shared.
    pub(crate) async fn with(private: &[Kind]) -> Self {
        let one_of_few = AT_ONCE.acquire().await.expect("it is never closed");
        let (postgres, mysql, mongodb, redis, rabbitmq) = tokio::join!(
            place(private.contains(&Kind::Postgres), testkit::private_postgres(), testkit::postgres()),
            place(private.contains(&Kind::Mysql), testkit::private_mysql(), testkit::mysql()),
            place(private.contains(&Kind::Mongodb), testkit::private_mongodb(), testkit::mongodb()),
            place(private.contains(&Kind::Redis), testkit::private_redis(), testkit::redis()),
            place(private.contains(&Kind::Rabbitmq), testkit::private_rabbitmq(), testkit::rabbitmq()),
        );
        Self { private: private.to_vec(), postgres, mysql, mongodb, redis, rabbitmq, _one_of_few: one_of_few }
    }

    /// The URL of one of them.
    pub(crate) fn url(&self, kind: Kind) -> &str {
        match kind {
            Kind::Postgres => self.postgres.url(TestPostgres::url),
            Kind::Mysql => self.mysql.url(TestMysql::url),
            Kind::Mongodb => self.mongodb.url(TestMongo::url),
            Kind::Redis => self.redis.url(TestRedis::url),
            Kind::Rabbitmq => self.rabbitmq.url(TestRabbit::url),
        }
    }

    /// Whether one of them may be killed.
    pub(crate) fn is_private(&self, kind: Kind) -> bool {
        self.private.contains(&kind)
    }

    /// One of them that is private, to be killed.
    pub(crate) fn private(&self, kind: Kind) -> &PrivateServer {
        match kind {
            Kind::Postgres => self.postgres.private(),
            Kind::Mysql => self.mysql.private(),
            Kind::Mongodb => self.mongodb.private(),
            Kind::Redis => self.redis.private(),
            Kind::Rabbitmq => self.rabbitmq.private(),
        }
    }

    /// The management of the vhost.
    pub(crate) fn rabbit(&self) -> &TestRabbit {
        match &self.rabbitmq {
            Place::Shared(rabbit) => rabbit,
            Place::Private(server) => server.rabbit(),
        }
    }

    /// Pools connect when they are asked something, so a server may have been killed meanwhile.
    pub(crate) fn postgres(&self) -> PgPool {
        PgPool::connect_lazy(self.url(Kind::Postgres)).expect("the testkit's URLs are right")
    }

    pub(crate) fn mysql(&self) -> MySqlPool {
        MySqlPool::connect_lazy(self.url(Kind::Mysql)).expect("the testkit's URLs are right")
    }

    pub(crate) async fn mongodb(&self) -> mongodb::Database {
        let client = mongodb::Client::with_uri_str(self.url(Kind::Mongodb)).await;
        let client = client.expect("the testkit's URLs are right");
        client.default_database().expect("the testkit's URLs name a database")
    }

    pub(crate) async fn redis(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.url(Kind::Redis)).expect("the testkit's URLs are right");
        client.get_multiplexed_async_connection().await.expect("Redis answers")
    }
}

impl<T> Place<T> {
    fn url<'a>(&'a self, of_shared: impl Fn(&'a T) -> &'a str) -> &'a str {
        match self {
            Self::Shared(shared) => of_shared(shared),
            Self::Private(server) => server.url(),
        }
    }

    fn private(&self) -> &PrivateServer {
        match self {
            Self::Shared(_) => panic!("a server that others use too is not killed"),
            Self::Private(server) => server,
        }
    }
}

async fn place<T>(
    private: bool,
    server: impl Future<Output = PrivateServer>,
    shared: impl Future<Output = T>,
) -> Place<T> {
    if private { Place::Private(Box::new(server.await)) } else { Place::Shared(shared.await) }
}
