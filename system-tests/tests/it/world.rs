//! A whole Warren: a producer and a consumer as they are shipped, on servers of their own.

use std::time::Duration;

use contracts::topology::queue;
use futures_util::future::join_all;
use messaging::RETRY_LADDER;
use system_tests::Site;
use testkit::{Program, eventually, eventually_within, free_port};

use crate::audit::Counters;
use crate::server::{Kind, Servers};

/// Long enough for everything that was accepted to have its effect, after the last fault is over.
const SETTLE_LIMIT: Duration = Duration::from_secs(90);

/// The queues of the programs that a world has. Those of other services fill, and nobody minds.
const CONSUMED: [&str; 12] = [
    queue::TASKS,
    queue::HEALTH_CHECK,
    queue::INSERT_RECORD,
    queue::DELETE_RECORD,
    queue::READ_DATABASE,
    queue::USER_TASKS,
    queue::USER_SESSIONS,
    queue::USER_PREFERENCES,
    queue::USER_SEARCH,
    queue::WELCOME_MESSAGES,
    queue::PRODUCT_SEARCH,
    queue::PRODUCER_TASKS,
];

/// As for production.
pub(crate) const SECRETS: [(&str, &str); 3] = [
    ("ENVIRONMENT", "production"),
    ("JWT_SECRET", "a secret for tests, which nobody else has"),
    ("REGISTRY_TOKEN", "a-token-for-tests"),
];

/// The first admin.
pub(crate) const ADMIN: (&str, &str) = ("admin@example.org", "correct horse battery staple");

/// One of our programs, which may be killed.
pub(crate) struct Process {
    program: Program,
    base: String,
}

/// Producer, consumer, and what they run on.
pub(crate) struct World {
    pub(crate) producer: Process,
    pub(crate) consumer: Process,
    pub(crate) site: Site,
    pub(crate) counters: Counters,
    pub(crate) servers: Servers,
}

impl Process {
    pub(crate) fn new(name: &str) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let program = Program::cargo_bin(name)
            .env("LISTEN", &address)
            // What it waits for at its start may be starting too.
            .env("RETRY_ATTEMPTS", "30")
            .env("RETRY_BASE", "0.1");
        Self { program, base: format!("http://{address}") }
    }

    pub(crate) fn env(self, name: &str, value: &str) -> Self {
        Self { program: self.program.env(name, value), ..self }
    }

    pub(crate) fn set(self, settings: &[(&str, &str)]) -> Self {
        settings.iter().fold(self, |process, (name, value)| process.env(name, value))
    }

    /// One that also answers gRPC.
    pub(crate) fn with_grpc(self) -> Self {
        self.env("GRPC_LISTEN", &format!("127.0.0.1:{}", free_port()))
    }

    pub(crate) fn role(self, role: &str) -> Self {
        Self { program: self.program.arg(role), ..self }
    }

    /// Starts it, and waits until it is ready.
    pub(crate) async fn start(self) -> Self {
        self.start_again().await;
        self
    }

    pub(crate) async fn start_again(&self) {
        self.start_unready().await;
        self.ready().await;
    }

    pub(crate) async fn start_unready(&self) {
        self.program.start_again().await;
    }

    pub(crate) async fn ready(&self) {
        self.program.wait_ready(&format!("{}/ready", self.base)).await;
    }

    pub(crate) async fn kill9(&self) {
        self.program.kill9().await;
    }

    /// Freezes it: its connections stay open, and nothing answers.
    pub(crate) fn pause(&self) {
        self.program.pause();
    }

    pub(crate) fn resume(&self) {
        self.program.resume();
    }

    /// Stops it in order; its exit code must be 0.
    pub(crate) async fn stop(&self) {
        assert_eq!(self.program.sigterm().await, 0, "{}", self.program.logs());
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) fn pid(&self) -> u32 {
        self.program.pid()
    }

    pub(crate) fn logs(&self) -> String {
        self.program.logs()
    }
}

impl Servers {
    /// A producer on these servers, whose hashing is cheap. Not started.
    pub(crate) fn producer(&self) -> Process {
        Process::new("producer")
            .env("DATABASE_URL", self.url(Kind::Postgres))
            .env("AMQP_URL", self.url(Kind::Rabbitmq))
            .env("REDIS_URL", self.url(Kind::Redis))
            .env("ARGON2_MEMORY_KIB", "8")
            .env("ARGON2_PASSES", "1")
    }

    /// A consumer on these servers, with all roles unless some are added. Not started.
    pub(crate) async fn consumer(&self) -> Process {
        Process::new("consumer")
            .env("AMQP_URL", self.url(Kind::Rabbitmq))
            .env("MYSQL_URL", self.url(Kind::Mysql))
            .env("MONGODB_URL", self.url(Kind::Mongodb))
            .env("MONGODB_DATABASE", self.mongodb().await.name())
            .env("REDIS_URL", self.url(Kind::Redis))
    }

    /// Waits until these queues hold nothing, nor what waits to be tried again, nor these dead letters.
    pub(crate) async fn queues_are_empty(&self, work: &[&str], dead: impl Iterator<Item = String>) {
        let rabbit = self.rabbit();
        let work = work.iter().copied().chain(RETRY_LADDER.iter().map(|step| step.name)).map(ToOwned::to_owned);
        join_all(work.chain(dead).map(async |queue| {
            let empty = async || (rabbit.queue_depth(&queue).await == 0).then_some(());
            eventually(&format!("the queue {queue} is empty"), empty).await;
        }))
        .await;
    }
}

impl World {
    /// One of each program, with these servers private.
    pub(crate) async fn with(private: &[Kind]) -> Self {
        let servers = Servers::with(private).await;
        let consumer = servers.consumer().await;
        let producer = servers.producer();
        Self::of(servers, producer, consumer).await
    }

    /// These programs, which are started here.
    pub(crate) async fn of(servers: Servers, producer: Process, consumer: Process) -> Self {
        let (producer, consumer) = tokio::join!(producer.start(), consumer.start());
        let site = Site::new(producer.base(), consumer.base());
        if servers.is_private(Kind::Rabbitmq) {
            // All queues are declared by now; without this the broker may forget them when it is killed.
            servers.private(Kind::Rabbitmq).save_declarations().await;
        }
        let counters = Counters::install(&servers).await;
        Self { producer, consumer, site, counters, servers }
    }

    /// Waits until nothing can happen any more: every task has ended, or is given up because none is heard of, and none of
    /// the queues that are consumed holds anything, nor any of the dead letters.
    pub(crate) async fn settled(&self) {
        let postgres = self.servers.postgres();
        eventually_within(SETTLE_LIMIT, "no more is heard of tasks", async || {
            let quiet = "SELECT coalesce(bool_and(outcome IS NOT NULL)
                             OR max(greatest(accepted_at, published_at, reported_at)) < now() - interval '20 s', true)
                         FROM tasks";
            let quiet: bool = sqlx::query_scalar(quiet).fetch_one(&postgres).await.ok()?;
            quiet.then_some(())
        })
        .await;
        let topology = contracts::topology();
        let dead = topology.queues.iter().map(|queue| queue.dead_letter_name());
        self.servers.queues_are_empty(&CONSUMED, dead).await;
    }
}
