//! What is measured: five servers and Warren's programs, started here, gone at the end.

mod databases;
mod folder;
mod further;
mod http;
mod process;
mod programs;
mod reaper;
mod servers;
mod shop;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use hyper::Method;
use rustix::process::Signal;
use sqlx::Connection;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::time::{Instant, sleep};

use databases::{postgres_at, records_at};
pub(crate) use further::User;
pub(crate) use process::Process;
use programs::PROGRAMS;
use reaper::Reaper;
use servers::{NAME, Ports, Server};
pub(crate) use shop::Shop;

use crate::args::Args;
use crate::beside::disk;

const START_LIMIT: Duration = Duration::from_secs(120);

/// Whether the producer can reach its broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BrokerIs {
    Here,
    Away,
}

/// Servers and programs that run.
pub(crate) struct Stage {
    // Dropped in this order: the programs, the servers, then the reaper, which removes the folder.
    /// What was started for one measurement.
    further: Vec<Process>,
    producer: Option<Process>,
    consumer: Process,
    pub(crate) postgres: Server,
    pub(crate) mariadb: Server,
    pub(crate) rabbitmq: Server,
    mongo: Server,
    redis: Server,
    producer_port: u16,
    /// Where the producer registers, once there is one.
    registry: Option<SocketAddr>,
    ports: Ports,
    /// A port nobody listens on.
    nowhere: u16,
    pub(crate) folder: PathBuf,
    reaper: Arc<Reaper>,
    pub(crate) database: PgPool,
}

impl Stage {
    /// Starts everything and waits until it is ready.
    pub(crate) async fn start(args: &Args) -> anyhow::Result<Self> {
        if !args.no_build {
            programs::build()?;
        }
        for program in PROGRAMS {
            programs::path(program)?;
        }
        let folder = folder::make(args.data.as_deref())?;
        let reaper = Arc::new(Reaper::start(&folder)?);
        let mut ports = Ports::default();
        let mut server = |kind| Server::start(kind, &folder, &mut ports, &reaper);
        let rabbitmq = server("rabbitmq")?;
        let (mut postgres, mut mariadb) = (server("postgres")?, server("mariadb")?);
        let (mongo, redis) = (server("mongo")?, server("redis")?);
        let (producer_port, consumer_port, nowhere) = (ports.free()?, ports.free()?, ports.free()?);

        let database = PgPoolOptions::new().max_connections(4).connect_lazy_with(postgres_at(postgres.port, NAME));
        ready(&mut postgres.process, || async { Ok(database.acquire().await.map(drop)?) }).await?;
        let records = mariadb.port;
        ready(&mut mariadb.process, || async move { Ok(records_at(records).await?.close().await?) }).await?;

        let settings = [
            ("AMQP_URL", amqp(rabbitmq.port)),
            ("MYSQL_URL", format!("mysql://{NAME}:{NAME}@127.0.0.1:{}/{NAME}", mariadb.port)),
            ("MONGODB_URL", mongodb_at(mongo.port)),
            ("REDIS_URL", redis_at(redis.port)),
            ("LISTEN", address(consumer_port).to_string()),
            ("RETRY_BASE", "0.5".to_owned()),
            ("RETRY_ATTEMPTS", "60".to_owned()),
        ];
        let command = programs::command("consumer", &settings)?;
        let consumer = Process::start("consumer", command, &folder, Signal::KILL, &reaper)?;
        let mut stage = Self {
            further: Vec::new(),
            producer: None,
            consumer,
            postgres,
            mariadb,
            rabbitmq,
            mongo,
            redis,
            producer_port,
            registry: None,
            ports,
            nowhere,
            folder,
            reaper,
            database,
        };
        // That it is ready tells that its servers are.
        ready(&mut stage.consumer, || http::answers(consumer_port)).await?;
        stage.start_producer(BrokerIs::Here).await?;
        Ok(stage)
    }

    /// Starts the producer, after an orderly end of the one before, if there was one.
    pub(crate) async fn start_producer(&mut self, broker: BrokerIs) -> anyhow::Result<()> {
        self.stop_producer();
        let amqp_port = if broker == BrokerIs::Here { self.rabbitmq.port } else { self.nowhere };
        let settings = [
            ("DATABASE_URL", self.postgres_url(NAME)),
            ("AMQP_URL", amqp(amqp_port)),
            ("REDIS_URL", self.redis_url()),
            ("REGISTRY_URL", self.registry.map(|at| format!("http://{at}")).unwrap_or_default()),
            ("LISTEN", self.producer().to_string()),
        ];
        let command = programs::command("producer", &settings)?;
        let process = Process::start("producer", command, &self.folder, Signal::KILL, &self.reaper)?;
        let port = self.producer_port;
        ready(self.producer.insert(process), || http::answers(port)).await
    }

    pub(crate) fn stop_producer(&mut self) {
        if let Some(mut producer) = self.producer.take() {
            producer.end(Signal::TERM);
        }
    }

    /// Where the producer serves HTTP.
    pub(crate) fn producer(&self) -> SocketAddr {
        address(self.producer_port)
    }

    /// All that runs, for accounts of memory and time.
    pub(crate) fn processes(&self) -> Vec<&Process> {
        let servers = [&self.postgres, &self.rabbitmq, &self.mariadb, &self.mongo, &self.redis];
        let programs = self.producer.iter().chain([&self.consumer]).chain(&self.further);
        programs.chain(servers.map(|server| &server.process)).collect()
    }

    /// The process of this name.
    pub(crate) fn process(&self, name: &str) -> anyhow::Result<&Process> {
        self.processes().into_iter().find(|process| process.name() == name).with_context(|| format!("no {name} runs"))
    }

    /// Where Redis is.
    pub(crate) fn redis_url(&self) -> String {
        redis_at(self.redis.port)
    }

    /// Where MongoDB is, or what stands in for it.
    pub(crate) fn mongodb_url(&self) -> String {
        mongodb_at(self.mongo.port)
    }

    /// Where RabbitMQ is.
    pub(crate) fn amqp(&self) -> String {
        amqp(self.rabbitmq.port)
    }

    /// Where a database is, for tools.
    pub(crate) fn postgres_url(&self, database: &str) -> String {
        format!("postgres://{NAME}:{NAME}@127.0.0.1:{}/{database}", self.postgres.port)
    }

    /// What a small append to the disk costs, in milliseconds, in the median.
    pub(crate) async fn sync_floor(&self) -> anyhow::Result<f64> {
        Ok(disk::floor(&self.folder, 1, 200).await?.quantile_ms(0.5))
    }

    /// Deletes a queue with all that is in it.
    pub(crate) async fn delete_queue(&self, name: &str) -> anyhow::Result<()> {
        let path = format!("/api/queues/{NAME}/{name}");
        let status = http::ask_rabbitmq(Method::DELETE, self.rabbitmq.http_port, &path).await?;
        anyhow::ensure!(status.is_success() || status == 404, "deleting the queue {name} was answered with {status}");
        Ok(())
    }

    /// A tool that runs against the servers, known to the reaper while it does.
    pub(crate) fn tool(&self, name: &'static str, command: Command, folder: &Path) -> anyhow::Result<Process> {
        Process::start(name, command, folder, Signal::KILL, &self.reaper)
    }
}

fn amqp(port: u16) -> String {
    format!("amqp://{NAME}:{NAME}@127.0.0.1:{port}/{NAME}")
}

fn mongodb_at(port: u16) -> String {
    format!("mongodb://127.0.0.1:{port}/?directConnection=true")
}

fn redis_at(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Tries until it works, as long as the process lives.
async fn ready<F: Future<Output = anyhow::Result<()>>>(
    process: &mut Process,
    ask: impl Fn() -> F,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    while let Err(error) = ask().await {
        process.still_runs()?;
        let name = process.name();
        anyhow::ensure!(Instant::now() < deadline, "{name} is not ready ({error:#}); its log:\n{}", process.log_tail());
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
