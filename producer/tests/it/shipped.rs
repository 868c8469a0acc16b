//! The producer as it is shipped, in a process of its own.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use testkit::{Program, free_port};

use crate::support::{Ask, World, record};

/// A process that can be killed, and whose memory and logs can be looked at.
pub(crate) struct Shipped {
    pub(crate) program: Program,
    pub(crate) base: String,
    client: Client,
}

impl Shipped {
    pub(crate) async fn start(world: &World) -> Self {
        Self::start_with(world, &[]).await
    }

    /// With variables of its own beside the usual ones.
    pub(crate) async fn start_with(world: &World, variables: &[(&str, &str)]) -> Self {
        let shipped = Self::launch(world, variables).await;
        shipped.program.wait_ready(&format!("{}/ready", shipped.base)).await;
        shipped
    }

    /// Without waiting until it is ready, which it may never be.
    pub(crate) async fn launch(world: &World, variables: &[(&str, &str)]) -> Self {
        let base = format!("http://127.0.0.1:{}", free_port());
        let mut program = Program::cargo_bin("producer")
            .env("LISTEN", base.trim_start_matches("http://"))
            .env("DATABASE_URL", world.postgres.url())
            .env("AMQP_URL", world.rabbit.url())
            .env("REDIS_URL", world.redis.url());
        for (name, value) in variables {
            program = program.env(name, value);
        }
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().expect("a plain client");
        Self { program: program.start().await, base, client }
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.base))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.base)).json(body)
    }

    pub(crate) fn insert(&self, srn: &str, key: &str) -> RequestBuilder {
        self.post("/records", &record(srn)).header("idempotency-key", key)
    }

    /// A counter as `/metrics` has it.
    pub(crate) async fn counter(&self, name: &str) -> u64 {
        let metrics = self.get("/metrics").answer().await.expect(200).body;
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().expect("a counter is a number"))
    }

    /// The most memory it has had so far, in KiB.
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.program.pid())).expect("it runs");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells of it");
        peak.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}
