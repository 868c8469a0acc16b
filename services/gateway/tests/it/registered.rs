//! Instances that a registry knows, and the gateway among them.

use std::net::SocketAddr;

use serde_json::{Value, json};
use testkit::{Program, TestRedis, eventually};

use crate::stub::Stub;
use crate::support::{Ask, Gateway, client};

/// A registry that runs as it is shipped.
struct Registry {
    program: Program,
    base: String,
    redis: TestRedis,
}

impl Registry {
    async fn start() -> Self {
        let (redis, port) = (testkit::redis().await, testkit::free_port());
        let program = Program::cargo_bin("registry")
            .env("LISTEN", format!("127.0.0.1:{port}"))
            .env("REDIS_URL", redis.url())
            .start()
            .await;
        let registry = Self { program, base: format!("http://127.0.0.1:{port}"), redis };
        registry.is_ready().await;
        registry
    }

    async fn is_ready(&self) {
        self.program.wait_ready(&format!("{}/ready", self.base)).await;
    }

    async fn post(&self, path: &str, body: Value) {
        let request = client().post(format!("{}{path}", self.base)).bearer_auth("warren-registry-token").json(&body);
        assert!(request.answer().await.status.is_success());
    }

    async fn register(&self, service: &str, id: &str, address: SocketAddr) {
        let instance = json!({ "id": id, "host": address.ip(), "port": address.port() });
        self.post("/register", json!({ "service": service, "instance": instance })).await;
    }

    async fn deregister(&self, service: &str, id: &str) {
        self.post("/deregister", json!({ "service": service, "instance_id": id })).await;
    }

    async fn gateway(&self) -> Gateway {
        Gateway::start_with_redis(self.redis.url(), &[&format!("--registry-url={}", self.base)]).await
    }

    /// How many instances of a service it knows.
    async fn knows(&self, service: &str) -> usize {
        let services = client().get(format!("{}/services", self.base)).answer().await.expect(200).json();
        services["services"][service].as_array().map_or(0, Vec::len)
    }
}

/// Who answers next, if anybody does.
async fn who(gateway: &Gateway) -> Option<String> {
    let answer = gateway.get("/api/products").answer().await;
    answer.status.is_success().then(|| answer.json()["service"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn what_registers_is_called_and_what_leaves_is_not() {
    let (registry, one, other) = (Registry::start().await, Stub::echo("one").await, Stub::echo("other").await);
    let gateway = registry.gateway().await;
    gateway.get("/api/products").answer().await.refused(503);
    registry.register("products", "one", one.address()).await;
    eventually("the first is called", async || (who(&gateway).await? == "one").then_some(())).await;
    registry.register("products", "other", other.address()).await;
    eventually("the second is called", async || (who(&gateway).await? == "other").then_some(())).await;
    registry.deregister("products", "one").await;
    let calls = one.seen().len();
    eventually("only the second is called", async || {
        for _ in 0..10 {
            if who(&gateway).await? != "other" {
                return None;
            }
        }
        Some(())
    })
    .await;
    assert!(one.seen().len() <= calls + 10);
}

#[tokio::test]
async fn traffic_goes_on_while_the_registry_is_away_and_it_is_followed_again_afterwards() {
    let (registry, one, other) = (Registry::start().await, Stub::echo("one").await, Stub::echo("other").await);
    registry.register("products", "one", one.address()).await;
    let gateway = registry.gateway().await;
    eventually("the first is called", async || who(&gateway).await).await;
    registry.program.kill9().await;
    for _ in 0..50 {
        assert_eq!(who(&gateway).await.as_deref(), Some("one"));
    }
    registry.program.start_again().await;
    registry.is_ready().await;
    registry.register("products", "other", other.address()).await;
    eventually("the second is called", async || (who(&gateway).await? == "other").then_some(())).await;
}

#[tokio::test]
async fn a_gateway_is_in_the_registry_for_as_long_as_it_runs() {
    let registry = Registry::start().await;
    let gateway = registry.gateway().await;
    eventually("it has registered", async || (registry.knows("gateway").await == 1).then_some(())).await;
    gateway.stop().await;
    assert_eq!(registry.knows("gateway").await, 0);
}
