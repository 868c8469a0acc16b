//! Configuration, read once, in `main`.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use clap::{Args, Parser};
use secrecy::{ExposeSecret, SecretString};
use service::auth::{AuthArgs, Environment};
use service::telemetry::LogArgs;
use service::{HttpArgs, RetryArgs, seconds};

/// Accepts writes over HTTP, stores them in Postgres, and tells of them through RabbitMQ.
#[derive(Clone, Debug, Parser)]
#[command(name = "producer", version)]
pub struct Config {
    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub http: HttpArgs<8081>,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub registry: client::RegistryArgs,

    /// Postgres that owns users, records' versions, tasks and the outbox.
    #[arg(
        long,
        env,
        hide_env_values = true,
        default_value = "postgres://admin:adminpassword@127.0.0.1:5432/mydatabase"
    )]
    pub database_url: SecretString,

    /// RabbitMQ, with the vhost as the path.
    #[arg(long, env, hide_env_values = true, default_value = "amqp://user:password@127.0.0.1:5672/my_vhost")]
    pub amqp_url: SecretString,

    /// Redis, which tells every service of sessions; while it is away users can log in, but not out.
    #[arg(long, env, hide_env_values = true, default_value = "redis://127.0.0.1:6379")]
    pub redis_url: SecretString,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub auth: AuthArgs,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub sessions: SessionArgs,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub admin: AdminArgs,

    /// How many messages may wait for the broker; past that new writes are answered with 503.
    #[arg(long, env, default_value_t = 2_000_000)]
    pub outbox_max_backlog: u64,

    /// Seconds without news after which a task that has not ended is sent again.
    #[arg(long, env, value_parser = seconds, default_value = "300")]
    pub reconcile_after: Duration,

    /// Seconds that a task is kept for; one that has not ended is kept longer.
    #[arg(long, env, value_parser = seconds, default_value = "2592000")]
    pub task_retention: Duration,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub hashing: HashingArgs,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub retry: RetryArgs,

    #[allow(missing_docs, reason = "flattened")]
    #[command(flatten)]
    pub log: LogArgs,
}

/// How long sessions last.
#[derive(Args, Clone, Copy, Debug)]
pub struct SessionArgs {
    /// Seconds that an access token holds.
    #[arg(long, env, value_parser = seconds, default_value = "900")]
    pub access_token_ttl: Duration,

    /// Seconds that a refresh token can be used in; each gives another one.
    #[arg(long, env, value_parser = seconds, default_value = "2592000")]
    pub refresh_token_ttl: Duration,

    /// Seconds that `user_session:{id}` in Redis lives after a login or refresh.
    #[arg(long, env, value_parser = seconds, default_value = "3600")]
    pub session_ttl: Duration,
}

/// What `docker compose` and `./dev up` set.
const EXAMPLE_ADMIN_PASSWORD: &str = "warren-admin-password";

/// The first admin, who can make others.
#[derive(Args, Clone, Debug)]
pub struct AdminArgs {
    /// The first admin's address. There is none if it is not set.
    #[arg(long, env)]
    pub admin_email: Option<String>,

    /// The first admin's password, by which it is recognised at the next start.
    #[arg(long, env, hide_env_values = true)]
    pub admin_password: Option<SecretString>,
}

impl AdminArgs {
    /// Who it is, if it is set; an empty variable is as one that is not.
    pub(crate) fn named(&self, environment: Environment) -> anyhow::Result<Option<(&str, &SecretString)>> {
        let email = self.admin_email.as_deref().filter(|email| !email.is_empty());
        let password = self.admin_password.as_ref().filter(|password| !password.expose_secret().is_empty());
        anyhow::ensure!(
            email.is_some() == password.is_some(),
            "ADMIN_EMAIL and ADMIN_PASSWORD are set together or not at all"
        );
        anyhow::ensure!(
            environment == Environment::Development
                || password.is_none_or(|password| password.expose_secret() != EXAMPLE_ADMIN_PASSWORD),
            "ADMIN_PASSWORD is the example that everybody knows; with ENVIRONMENT=production it must be a secret"
        );
        Ok(email.zip(password))
    }
}

/// How passwords are hashed. The defaults are OWASP's for argon2id.
#[derive(Args, Clone, Debug)]
pub struct HashingArgs {
    /// Threads that hash passwords, each with ARGON2_MEMORY_KIB; one for each core if absent.
    #[arg(long, env, value_parser = at_least_one)]
    pub hashing_threads: Option<usize>,

    /// Passwords that may wait to be hashed; past that requests are answered with 503.
    #[arg(long, env, value_parser = at_least_one, default_value = "128")]
    pub hashing_queue: usize,

    /// Memory for one hash.
    #[arg(long, env, default_value_t = 19_456)]
    pub argon2_memory_kib: u32,

    /// Passes over that memory.
    #[arg(long, env, default_value_t = 2)]
    pub argon2_passes: u32,

    /// Lanes of that memory.
    #[arg(long, env, default_value_t = 1)]
    pub argon2_lanes: u32,
}

impl HashingArgs {
    /// How many threads hash.
    pub fn threads(&self) -> usize {
        self.hashing_threads.unwrap_or_else(|| available_parallelism().map_or(1, NonZeroUsize::get))
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| "expected a whole number from 1".to_owned())
}
