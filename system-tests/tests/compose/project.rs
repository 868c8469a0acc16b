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
const PORTS: [&str; 23] = [
    "PRODUCER_PORT",
    "CONSUMER_PORT",
    "GATEWAY_PORT",
    "BRIDGE_PORT",
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
    "SEARCH_PORT",
    "KAFKA_PORT",
    "INFLUXDB_PORT",
    "S3_PORT",
    "S3_CONSOLE_PORT",
];

/// What has to start anew when the profile is put on, as the file itself says.
const MAY_BE_FULL: [&str; 3] = ["consumer", "products", "products-worker"];

/// How much of the containers' logs a failure shows.
const LOG_LINES: &str = "30";

/// A running project.
pub(crate) struct Project {
    name: String,
    ports: Vec<(&'static str, String)>,
    site: Site,
    gateway: Site,
    bridge: Site,
}

impl Project {
    /// Builds the images, and starts all until it is healthy.
    pub(crate) async fn up() -> Self {
        let ports: Vec<_> = PORTS.into_iter().map(|name| (name, free_port().to_string())).collect();
        let address = |at: usize| format!("http://127.0.0.1:{}", ports[at].1);
        let (site, gateway) = (Site::new(&address(0), &address(1)), Site::behind(&address(2)));
        let bridge = Site::behind(&address(3));
        let project = Self { name: format!("warren-test-{}", Uuid::now_v7().simple()), ports, site, gateway, bridge };
        project.must(&["up", "--build", "--wait", "--detach"]).await;
        project
    }

    /// Starts what the profile `full` has besides.
    pub(crate) async fn put_on_full(&self) {
        self.must(&[&["rm", "--stop", "--force"], &MAY_BE_FULL[..]].concat()).await;
        self.must(&["--profile", "full", "up", "--build", "--wait", "--detach"]).await;
    }

    async fn must(&self, arguments: &[&str]) {
        let command = self.compose(arguments);
        let mut command =
            tokio::process::Command::from(command).kill_on_drop(true).spawn().expect("docker is installed");
        let ended = timeout(UP_LIMIT, command.wait()).await.unwrap_or_else(|_| Err(Error::from(ErrorKind::TimedOut)));
        assert!(ended.as_ref().is_ok_and(ExitStatus::success), "docker compose {arguments:?} failed: {ended:?}");
    }

    pub(crate) fn bridge(&self) -> &Site {
        &self.bridge
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
        let mut commands = vec![["--profile", "*", "down", "--volumes", "--remove-orphans"].as_slice()];
        if thread::panicking() {
            commands.insert(0, &["--profile", "*", "logs", "--tail", LOG_LINES]);
        }
        for arguments in commands {
            match self.compose(arguments).status() {
                Ok(status) if status.success() => {}
                failed => eprintln!("docker compose {arguments:?} on {} failed: {failed:?}", self.name),
            }
        }
    }
}
