//! A compose project of the test's own: name, ports and volumes. It is taken down at the end, whatever happens.

use std::io::{Error, ErrorKind};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::Duration;

use system_tests::Site;
use testkit::free_port;
use tokio::time::timeout;
use uuid::Uuid;

/// The first build compiles everything.
const UP_LIMIT: Duration = Duration::from_secs(45 * 60);

/// Every port that the file publishes.
const PORTS: [&str; 17] = [
    "PRODUCER_PORT",
    "CONSUMER_PORT",
    "GATEWAY_PORT",
    "REGISTRY_PORT",
    "POSTGRES_PORT",
    "MARIADB_PORT",
    "REDIS_PORT",
    "MONGO_PORT",
    "RABBITMQ_PORT",
    "RABBITMQ_MANAGEMENT_PORT",
    "RABBITMQ_METRICS_PORT",
    "OWNERS_PORT",
    "PRODUCTS_PORT",
    "ORDERS_PORT",
    "OWNERS_GRPC_PORT",
    "PRODUCTS_GRPC_PORT",
    "ORDERS_GRPC_PORT",
];

/// How much of the containers' logs a failure shows.
const LOG_LINES: &str = "30";

/// A running project.
pub(crate) struct Project {
    name: String,
    ports: Vec<(&'static str, String)>,
    site: Site,
    gateway: Site,
}

impl Project {
    /// Builds the images, and starts all until it is healthy.
    pub(crate) async fn up() -> Self {
        let ports: Vec<_> = PORTS.into_iter().map(|name| (name, free_port().to_string())).collect();
        let address = |at: usize| format!("http://127.0.0.1:{}", ports[at].1);
        let (site, gateway) = (Site::new(&address(0), &address(1)), Site::behind(&address(2)));
        let project = Self { name: format!("warren-test-{}", Uuid::now_v7().simple()), ports, site, gateway };
        let up = project.compose(&["up", "--build", "--wait", "--detach"]);
        let mut up = tokio::process::Command::from(up).kill_on_drop(true).spawn().expect("docker is installed");
        let up = timeout(UP_LIMIT, up.wait()).await.unwrap_or_else(|_| Err(Error::from(ErrorKind::TimedOut)));
        assert!(up.as_ref().is_ok_and(ExitStatus::success), "docker compose did not bring everything up: {up:?}");
        project
    }

    pub(crate) fn site(&self) -> &Site {
        &self.site
    }

    pub(crate) fn gateway(&self) -> &Site {
        &self.gateway
    }

    fn compose(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command
            .args(["compose", "--file", "docker-compose.yml", "--project-name", &self.name])
            .args(arguments)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .envs(self.ports.iter().map(|(name, port)| (name, port)))
            .env_remove("COMPOSE_FILE")
            .env_remove("COMPOSE_PROFILES");
        command
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let mut commands = vec![["down", "--volumes", "--remove-orphans"]];
        if thread::panicking() {
            commands.insert(0, ["logs", "--tail", LOG_LINES]);
        }
        for arguments in commands {
            match self.compose(&arguments).status() {
                Ok(status) if status.success() => {}
                failed => eprintln!("docker compose {arguments:?} on {} failed: {failed:?}", self.name),
            }
        }
    }
}
