//! The shop: owners, products, orders and payments, and what is made in it before anything is measured.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use hyper::StatusCode;
use rustix::process::Signal;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::further::DISCOVERY;
use super::{Process, Stage, User, http, programs, ready};

/// Where the shop's programs answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shop {
    pub(crate) owners: SocketAddr,
    pub(crate) products: SocketAddr,
    pub(crate) products_grpc: SocketAddr,
    pub(crate) orders: SocketAddr,
}

impl Stage {
    /// Starts the shop's programs, and a registry if there is none, by which they find each other. A payment takes no longer than
    /// it takes to record it.
    pub(crate) async fn start_shop(&mut self) -> anyhow::Result<Shop> {
        let registry = self.start_registry().await?;
        let (owners, _) = self.start_program("owners", registry).await?;
        let (products, products_grpc) = self.start_program("products", registry).await?;
        self.start_program("payments", registry).await?;
        let (orders, _) = self.start_program("orders", registry).await?;
        Ok(Shop { owners, products, products_grpc, orders })
    }

    /// Starts a program with its default settings, and waits until it is ready. Where it serves HTTP, and gRPC if it does.
    async fn start_program(
        &mut self,
        name: &'static str,
        registry: SocketAddr,
    ) -> anyhow::Result<(SocketAddr, SocketAddr)> {
        let (http, grpc) = (self.free_address()?, self.free_address()?);
        let settings = [
            ("MONGODB_URL", self.mongodb_url()),
            ("AMQP_URL", self.amqp()),
            ("REDIS_URL", self.redis_url()),
            ("REGISTRY_URL", format!("http://{registry}")),
            ("LISTEN", http.to_string()),
            ("GRPC_LISTEN", grpc.to_string()),
            ("PAYMENT_LATENCY", "0".to_owned()),
        ];
        let command = programs::command(name, &settings)?;
        let mut process = Process::start(name, command, &self.folder, Signal::KILL, &self.reaper)?;
        ready(&mut process, || http::answers(http.port())).await?;
        self.further.push(process);
        Ok((http, grpc))
    }

    /// Has something made, and returns its id, which is in this field. Programs may have to learn first where others are.
    pub(crate) async fn make(
        &self,
        at: SocketAddr,
        path: &str,
        user: &User,
        body: &Value,
        field: &str,
    ) -> anyhow::Result<Uuid> {
        let deadline = Instant::now() + DISCOVERY;
        let authorization = format!("Bearer {}", user.token);
        loop {
            let (status, answer) = http::post(at, path, Some(&authorization), body).await?;
            if status.is_success() {
                let id = answer.get(field).and_then(Value::as_str).and_then(|id| id.parse().ok());
                return id.with_context(|| format!("the answer to POST {path} has no {field}"));
            }
            let may_come = status == StatusCode::SERVICE_UNAVAILABLE && Instant::now() < deadline;
            ensure!(may_come, "POST {path} was answered with {status}: {answer}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}
