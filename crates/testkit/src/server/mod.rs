//! Real servers that one test owns, because it kills them.

mod kind;
mod ready;

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use url::Url;

use self::kind::Kind;
use crate::eventually::within;
use crate::process::Process;
use crate::rabbit::TestRabbit;
use crate::scratch::{self, Scratch};
use crate::{address, port};

/// Making the data folder and starting take seconds; on two busy cores, with others starting, much longer.
const START_LIMIT: Duration = Duration::from_secs(120);

/// How long a server may take to stop as it should.
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// How long the last processes of a killed server may take to notice.
const GONE_LIMIT: Duration = Duration::from_secs(20);

/// A durable server with data and ports of its own: what it acknowledged is on disk. Killed and removed on drop.
#[derive(Debug)]
pub struct PrivateServer {
    kind: Kind,
    port: u16,
    http_port: u16,
    url: Url,
    rabbit: Option<TestRabbit>,
    /// Further lines of `rabbitmq.conf`.
    config: Option<PathBuf>,
    process: Process,
    /// Dropped last: it is the server's data.
    scratch: Scratch,
}

/// A Postgres of one's own.
pub async fn private_postgres() -> PrivateServer {
    PrivateServer::started(Kind::Postgres, None).await
}

/// A MariaDB of one's own.
pub async fn private_mysql() -> PrivateServer {
    PrivateServer::started(Kind::Mysql, None).await
}

/// A MongoDB of one's own.
pub async fn private_mongodb() -> PrivateServer {
    PrivateServer::started(Kind::Mongodb, None).await
}

/// A Redis of one's own.
pub async fn private_redis() -> PrivateServer {
    PrivateServer::started(Kind::Redis, None).await
}

/// A RabbitMQ of one's own.
pub async fn private_rabbitmq() -> PrivateServer {
    PrivateServer::started(Kind::Rabbitmq, None).await
}

/// A RabbitMQ of one's own, with further lines of `rabbitmq.conf`, such as `consumer_timeout = 5000`.
pub async fn private_rabbitmq_with(config: &str) -> PrivateServer {
    PrivateServer::started(Kind::Rabbitmq, Some(config)).await
}

/// A search server of one's own.
pub async fn private_search() -> PrivateServer {
    PrivateServer::started(Kind::Search, None).await
}

/// A Kafka of one's own.
pub async fn private_kafka() -> PrivateServer {
    PrivateServer::started(Kind::Kafka, None).await
}

/// An InfluxDB of one's own.
pub async fn private_influxdb() -> PrivateServer {
    PrivateServer::started(Kind::Influxdb, None).await
}

impl PrivateServer {
    async fn started(kind: Kind, config: Option<&str>) -> Self {
        let scratch = Scratch::new();
        let (port, http_port) = (port::free_port(), port::free_port());
        let url = kind.url(port);
        let rabbit = (kind == Kind::Rabbitmq).then(|| TestRabbit::of_private(&kind::management(http_port), &url));
        let config = config.map(|lines| {
            let path = scratch.path().join("further.conf");
            fs::write(&path, format!("{lines}\n")).expect("the folder is our own");
            path
        });
        let process = Process::new(kind.name(), scratch.path());
        let server = Self { kind, port, http_port, url, rabbit, config, process, scratch };
        server.start().await;
        server
    }

    /// Starts it, after [`stop`](Self::stop) or [`kill9`](Self::kill9), and waits until it answers.
    ///
    /// # Panics
    /// If it runs already, or does not answer in time; with the end of its log.
    pub async fn start(&self) {
        self.process.start(&mut self.command(&[self.kind.name()]));
        let answered = within(START_LIMIT, || async {
            if let Some(status) = self.process.ended() {
                panic!("{} ended at its start with {status}; its log:\n{}", self.kind.name(), self.log_tail());
            }
            ready::is_ready(self.kind, &self.url, self.rabbit.as_ref()).await.then_some(())
        });
        if answered.await.is_none() {
            panic!("{} did not answer within {START_LIMIT:?}; its log:\n{}", self.kind.name(), self.log_tail());
        }
    }

    /// Kills it (SIGKILL), paused or not, and waits until its last process is gone.
    pub async fn kill9(&self) {
        self.process.signal(Signal::KILL);
        self.resume();
        self.gone().await;
    }

    /// Stops it as an operator would, and waits for it. Postgres does not wait for its clients to leave.
    pub async fn stop(&self) {
        self.process.signal(self.kind.stop_signal());
        self.gone().await;
    }

    /// [`stop`](Self::stop) and [`start`](Self::start).
    pub async fn restart(&self) {
        self.stop().await;
        self.start().await;
    }

    /// Freezes all its processes (SIGSTOP): connections stay open, nothing answers.
    pub fn pause(&self) {
        scratch::signal_all_in(self.scratch.path(), Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        scratch::signal_all_in(self.scratch.path(), Signal::CONT);
    }

    /// Loses all its data, as with a new disk; it must be stopped.
    pub fn wipe(&self) {
        assert!(self.process.ended().is_some(), "{} must be stopped before its data is wiped", self.kind.name());
        scratch::remove(&self.data());
    }

    /// Where clients reach it, with user, password and database; without a `/` at the end.
    pub fn url(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// `host:port`, which is what clients of Kafka want.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The process id of the server itself.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }

    /// The management of its vhost.
    ///
    /// # Panics
    /// If it is no RabbitMQ.
    pub fn rabbit(&self) -> &TestRabbit {
        self.rabbit.as_ref().expect("only a private RabbitMQ has a management")
    }

    /// Runs `rabbitmqctl` on it, and gives what that wrote; for what the management cannot do, such as alarms.
    ///
    /// # Panics
    /// If it is no RabbitMQ, or `rabbitmqctl` fails.
    pub async fn rabbitmqctl(&self, arguments: &[&str]) -> String {
        assert!(self.kind == Kind::Rabbitmq, "only RabbitMQ has rabbitmqctl");
        let mut command = self.command(&[&["rabbitmqctl"], arguments].concat());
        let output =
            tokio::task::spawn_blocking(move || command.output()).await.expect("running a command does not panic");
        let output = output.expect("the script that runs servers is there");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "rabbitmqctl {arguments:?} failed: {errors}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Writes down at once which queues there are; awaited before [`kill9`](Self::kill9) by who has just declared some.
    ///
    /// RabbitMQ 3.10 keeps the names of quorum queues in tables that it writes three seconds late: one declared shortly
    /// before a SIGKILL is broken afterwards, and its messages are lost. Older queues keep what was confirmed.
    pub async fn save_declarations(&self) {
        self.rabbitmqctl(&["eval", "[ok = dets:sync(Table) || Table <- dets:all()]."]).await;
    }

    fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(address::native_server());
        command
            .args(arguments)
            // What runs in a folder goes with it, should this process be killed.
            .current_dir(self.scratch.path())
            .env("SERVER_DATA", self.data())
            .env("SERVER_PORT", self.port.to_string())
            .env("SERVER_USER", kind::USER)
            .env("SERVER_PASSWORD", self.kind.password())
            .env("SERVER_DATABASE", kind::DATABASE)
            .env("SERVER_DURABLE", "1")
            .env("SERVER_HTTP_PORT", self.http_port.to_string())
            .env_remove("SERVER_METRICS_PORT")
            .env_remove("SERVER_CONFIG")
            .envs(self.config.iter().map(|path| ("SERVER_CONFIG", path)));
        command
    }

    /// Waits for the server, and then for its children: they hold the lock on the data folder as long as they live.
    async fn gone(&self) {
        self.process.end(STOP_LIMIT).await;
        let lock = self.data().join("lock");
        let free = within(GONE_LIMIT, || async {
            // No file: it never came as far as to lock its folder.
            File::open(&lock).map_or(true, |lock| lock.try_lock().is_ok()).then_some(())
        });
        assert!(free.await.is_some(), "processes of {} outlive it", self.kind.name());
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        self.process.signal(self.kind.abort_signal());
        self.resume();
        self.process.end_blocking();
    }
}
