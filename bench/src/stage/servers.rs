//! The servers, each durable and private: what it acknowledged is on disk.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::Context;
use rustix::process::Signal;

use super::process::Process;
use super::reaper::Reaper;

/// Of every server: user, password and database (or vhost). They are reachable on the loopback only, while this runs.
pub(super) const NAME: &str = "warren";
/// `warren:warren`, as HTTP wants it.
pub(super) const BASIC: &str = "Basic d2FycmVuOndhcnJlbg==";

/// Below the ports of outgoing connections, and clear of those of `./dev up` and of the tests.
const PORTS: std::ops::Range<u16> = 17_000..19_000;

/// RabbitMQ's usual limit here is 1 GB, which a million waiting messages come near: an alarm would be measured instead.
const RABBITMQ_CONF: &str = "vm_memory_high_watermark.absolute = 4GB\n";

/// Ports nobody listens on.
#[derive(Default)]
pub(super) struct Ports(HashSet<u16>);

impl Ports {
    pub(super) fn free(&mut self) -> anyhow::Result<u16> {
        // Anywhere in the range, so that two that start together rarely try the same.
        let start = std::process::id() as usize * 37 % PORTS.len();
        let mut ports = PORTS.cycle().skip(start).take(PORTS.len());
        let free = |port: &u16| !self.0.contains(port) && TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
        let port = ports.find(free).context("no port is free")?;
        self.0.insert(port);
        Ok(port)
    }
}

/// A server that runs.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) port: u16,
    /// RabbitMQ's management.
    pub(crate) http_port: u16,
}

impl Server {
    /// Starts a server by the script that knows how.
    pub(super) fn start(
        kind: &'static str,
        folder: &Path,
        ports: &mut Ports,
        reaper: &Arc<Reaper>,
    ) -> anyhow::Result<Self> {
        let (port, http_port) = (ports.free()?, ports.free()?);
        let asks_for_password = !matches!(kind, "mongo" | "redis");
        let mut command = Command::new(script());
        command
            .arg(kind)
            .current_dir(folder)
            .env("SERVER_DATA", folder.join(kind))
            .env("SERVER_PORT", port.to_string())
            .env("SERVER_HTTP_PORT", http_port.to_string())
            .env("SERVER_USER", NAME)
            .env("SERVER_PASSWORD", if asks_for_password { NAME } else { "" })
            .env("SERVER_DATABASE", NAME)
            .env("SERVER_DURABLE", "1")
            .env_remove("SERVER_METRICS_PORT")
            .env_remove("SERVER_CONFIG");
        if kind == "rabbitmq" {
            let further = folder.join("further.conf");
            std::fs::write(&further, RABBITMQ_CONF)?;
            command.env("SERVER_CONFIG", further);
        }
        // The data is thrown away, so no server needs an orderly end; Postgres wants to take its shared memory along.
        let end_by = if kind == "postgres" { Signal::QUIT } else { Signal::KILL };
        Ok(Self { process: Process::start(kind, command, folder, end_by, reaper)?, port, http_port })
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/native/server")
}
