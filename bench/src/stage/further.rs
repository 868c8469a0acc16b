//! What only one measurement needs: the registry, the gateway, and what is put beside it.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use hyper::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::{BrokerIs, Process, Stage, address, http, programs, ready};

/// A user who has logged in.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) token: String,
}

/// So high that nobody reaches it: requests are counted, and none is refused.
const RATE_LIMIT: u64 = 1_000_000_000;
/// How long programs may take to learn from the registry where others are.
pub(super) const DISCOVERY: Duration = Duration::from_secs(30);

impl Stage {
    /// Starts a process and waits until it takes connections. It ends with the stage, with the time to end its children.
    pub(crate) async fn start_further(
        &mut self,
        name: &'static str,
        command: Command,
        at: SocketAddr,
    ) -> anyhow::Result<()> {
        let mut process = Process::start(name, command, &self.folder, Signal::TERM, &self.reaper)?;
        ready(&mut process, || async move { Ok(TcpStream::connect(at).await.map(drop)?) }).await?;
        self.further.push(process);
        Ok(())
    }

    /// Where nobody listens yet.
    pub(crate) fn free_address(&mut self) -> anyhow::Result<SocketAddr> {
        Ok(address(self.ports.free()?))
    }

    /// Starts a registry, and the producer anew so that it registers, unless there is one.
    pub(super) async fn start_registry(&mut self) -> anyhow::Result<SocketAddr> {
        if let Some(registry) = self.registry {
            return Ok(registry);
        }
        let registry = self.free_address()?;
        let settings = [("REDIS_URL", self.redis_url()), ("LISTEN", registry.to_string())];
        self.start_further("registry", programs::command("registry", &settings)?, registry).await?;
        self.registry = Some(registry);
        self.start_producer(BrokerIs::Here).await?;
        Ok(registry)
    }

    /// Starts a gateway, and a registry if there is none. Products are at a fixed address.
    pub(crate) async fn start_gateway(&mut self, products: SocketAddr) -> anyhow::Result<SocketAddr> {
        let (registry, gateway) = (self.start_registry().await?, self.free_address()?);
        let settings = [
            ("REDIS_URL", self.redis_url()),
            ("REGISTRY_URL", format!("http://{registry}")),
            ("SERVICE_URLS", format!("products=http://{products}")),
            ("RATE_LIMIT", RATE_LIMIT.to_string()),
            ("LISTEN", gateway.to_string()),
        ];
        self.start_further("gateway", programs::command("gateway", &settings)?, gateway).await?;
        Ok(gateway)
    }

    /// Makes a user, who logs in.
    pub(crate) async fn log_in(&self, name: &str) -> anyhow::Result<User> {
        let (email, password) = (format!("{name}@example.org"), "correct horse battery");
        let user = json!({ "name": name, "email": email, "password": password });
        let (status, answer) = http::post(self.producer(), "/auth/register", None, &user).await?;
        ensure!(status.is_success(), "making a user was answered with {status}: {answer}");
        let login = json!({ "email": email, "password": password });
        let (status, answer) = http::post(self.producer(), "/auth/login", None, &login).await?;
        ensure!(status == StatusCode::OK, "logging in was answered with {status}: {answer}");
        let text = |at: &str| {
            let text = answer.pointer(at).and_then(Value::as_str);
            text.map(str::to_owned).with_context(|| format!("the answer to the login has no {at}"))
        };
        Ok(User { id: text("/user/user_id")?, token: text("/access_token")? })
    }

    /// Waits until a user is found there, as the gateway may have to learn first where the producer is.
    pub(crate) async fn serves(&self, at: SocketAddr, path: &str, user: &User) -> anyhow::Result<()> {
        let deadline = Instant::now() + DISCOVERY;
        let authorization = format!("Bearer {}", user.token);
        loop {
            let status = http::ask(Method::GET, at, path, &authorization).await?;
            if status == StatusCode::OK {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "GET {path} is still answered with {status}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}
