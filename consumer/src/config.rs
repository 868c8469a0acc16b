//! The consumer's configuration: arguments and environment.

use std::thread::available_parallelism;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use secrecy::SecretString;

use crate::role::Role;
use crate::stores::Store;

/// Applies tasks and events to the read stores, and serves the reads.
#[derive(Clone, Debug, Parser)]
#[command(name = "consumer", version)]
pub struct Config {
    /// What to do; everything if none is named. Each role works off the queue of its name.
    #[arg(value_enum, value_name = "ROLE")]
    pub roles: Vec<Role>,

    /// Where and how to serve HTTP.
    #[command(flatten)]
    pub http: service::HttpArgs<8080>,

    /// How others find the reads that are served here.
    #[command(flatten)]
    pub registry: client::RegistryArgs,

    /// How the producer is asked what it holds.
    #[command(flatten)]
    pub calls: client::CallArgs,

    /// How patiently to wait for broker and stores at the start.
    #[command(flatten)]
    pub retry: service::RetryArgs,

    /// RabbitMQ, with the vhost as path.
    #[arg(
        long,
        env = "AMQP_URL",
        hide_env_values = true,
        default_value = "amqp://user:password@127.0.0.1:5672/my_vhost"
    )]
    pub amqp_url: SecretString,

    /// MariaDB or MySQL that holds the records, with the database as path.
    #[arg(
        long,
        env = "MYSQL_URL",
        hide_env_values = true,
        default_value = "mysql://warren:warren-password@127.0.0.1:3306/student_records"
    )]
    pub mysql_url: SecretString,

    /// MongoDB that holds users and messages.
    #[arg(
        long,
        env = "MONGODB_URL",
        hide_env_values = true,
        default_value = "mongodb://127.0.0.1:27017/?directConnection=true"
    )]
    pub mongodb_url: SecretString,

    /// The database in MongoDB.
    #[arg(long, env = "MONGODB_DATABASE", default_value = "microservices_mongo")]
    pub mongodb_database: String,

    /// Redis that holds cached profiles and tells of sessions.
    #[arg(long, env = "REDIS_URL", hide_env_values = true, default_value = "redis://127.0.0.1:6379")]
    pub redis_url: SecretString,

    /// How new users are mailed.
    #[command(flatten)]
    pub mail: crate::mail::MailArgs,

    /// Where the search is.
    #[command(flatten)]
    pub search: crate::search::SearchArgs,

    /// How access tokens are verified.
    #[command(flatten)]
    pub auth: service::auth::AuthArgs,

    /// Seconds that a session and a cached profile live.
    #[arg(long, env = "SESSION_TTL", value_parser = clap::value_parser!(u32).range(1..), default_value = "3600")]
    pub session_ttl: u32,

    /// How many messages a role's queue sends ahead of their acks.
    #[arg(long, env = "PREFETCH", value_parser = clap::value_parser!(u16).range(1..), default_value = "512")]
    pub prefetch: u16,

    /// How many waiting messages become one bulk write at most.
    #[arg(long, env = "BATCH", value_parser = clap::value_parser!(u16).range(1..=1000), default_value = "256")]
    pub batch: u16,

    /// How often a message is tried before it is parked as a dead letter.
    #[arg(long, env = "MAX_ATTEMPTS", value_parser = clap::value_parser!(u32).range(1..), default_value = "5")]
    pub max_attempts: u32,

    /// Threads that the work is done on; as many as there are cores, but at most 4, if not set.
    #[arg(long, env = "WORKER_THREADS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub worker_threads: Option<u16>,

    /// What is logged, and how.
    #[command(flatten)]
    pub log: service::telemetry::LogArgs,
}

impl Config {
    /// The roles to play.
    pub fn roles(&self) -> Vec<Role> {
        let chosen = |role: &Role| self.roles.is_empty() || self.roles.contains(role);
        Role::value_variants().iter().copied().filter(chosen).collect()
    }

    /// Whether a role needs the store. One that finds no search configured does without.
    pub fn uses(&self, store: Store) -> bool {
        let is_there = store != Store::Search || self.search.url().is_some();
        is_there && self.roles().iter().any(|role| role.store() == Some(store))
    }

    /// The service that others find in the registry. Only one with a store for each route is `consumer`: nobody is to send
    /// reads to a process that only works off a queue.
    pub fn service(&self) -> &'static str {
        let searches = self.search.url().is_none() || self.uses(Store::Search);
        let serves_all_reads = self.uses(Store::Mongodb) && self.uses(Store::Mysql) && searches;
        if serves_all_reads { "consumer" } else { "consumer-worker" }
    }

    /// How long sessions and cached profiles live.
    pub fn session_ttl(&self) -> Duration {
        Duration::from_secs(self.session_ttl.into())
    }

    /// How many threads the work is done on.
    pub fn worker_threads(&self) -> usize {
        let default = || available_parallelism().map_or(1, |cores| cores.get().min(4));
        self.worker_threads.map_or_else(default, usize::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_role_means_all_and_a_role_counts_once() {
        let all = Config::parse_from(["consumer"]);
        assert_eq!(all.roles().len(), Role::value_variants().len());
        let some = Config::parse_from(["consumer", "delete_record", "insert_record", "delete_record"]);
        assert_eq!(some.roles(), [Role::InsertRecord, Role::DeleteRecord]);
        assert!(some.uses(Store::Mysql) && !some.uses(Store::Redis));
    }

    #[test]
    fn only_one_that_can_serve_every_read_is_found_as_the_consumer() {
        let service = |roles: &[&str]| Config::parse_from([&["consumer"], roles].concat()).service();
        assert_eq!(service(&[]), "consumer");
        assert_eq!(service(&["user_tasks", "insert_record"]), "consumer");
        for roles in [&["user_tasks", "tasks", "user_sessions"][..], &["read_database"], &["health_check"]] {
            assert_eq!(service(roles), "consumer-worker", "{roles:?}");
        }
        let search = "--search-url=http://127.0.0.1:9200";
        assert_eq!(service(&[search]), "consumer");
        assert_eq!(service(&[search, "user_tasks", "insert_record"]), "consumer-worker");
        assert_eq!(service(&[search, "user_tasks", "insert_record", "user_search"]), "consumer");
        assert_eq!(service(&["--search-url=", "user_tasks", "insert_record"]), "consumer");
    }
}
