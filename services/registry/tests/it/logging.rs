//! What is logged of those who register: who was refused and why, and nothing of what all do all the time.

use reqwest::Client;
use testkit::{Ask, Program};

use crate::support::{World, at, reference, registration};

#[tokio::test]
async fn a_refusal_is_logged_with_its_reason_and_a_heartbeat_is_not() {
    let world = World::new().await;
    let port = testkit::free_port();
    let program = Program::cargo_bin("registry")
        .env("LISTEN", format!("127.0.0.1:{port}"))
        .env("REDIS_URL", world.redis.url())
        .start()
        .await;
    let base = format!("http://127.0.0.1:{port}");
    program.wait_ready(&format!("{base}/ready")).await;
    let client = Client::builder().no_proxy().build().expect("a plain client");
    let post = |path: &str| client.post(format!("{base}{path}"));
    let token = "warren-registry-token";
    let producer = registration("producer", "p-1");

    post("/register").bearer_auth(token).json(&producer).answer().await.expect(200);
    post("/heartbeat").bearer_auth(token).json(&reference("producer", "p-1")).answer().await.expect(204);
    post("/register").json(&producer).answer().await.expect(401);
    post("/register").bearer_auth("hunter2").json(&producer).answer().await.expect(403);
    post("/register").bearer_auth(token).json(&at("producer", "p-2", "8.8.8.8")).answer().await.expect(403);
    post("/register").bearer_auth(token).json(&registration("hunter2 is no name", "p-3")).answer().await.expect(422);
    assert_eq!(program.sigterm().await, 0);

    let logs = program.logs();
    let refused: Vec<&str> = logs.lines().filter(|line| line.contains("an instance was refused")).collect();
    let reasons = ["needs REGISTRY_TOKEN", "not the registry's token", "outside of the networks", "service"];
    assert_eq!(refused.len(), reasons.len(), "{logs}");
    for (line, reason) in refused.into_iter().zip(reasons) {
        assert!(line.contains("WARN") && line.contains("127.0.0.1") && line.contains(reason), "{line}");
    }
    assert!(!logs.contains("hunter2") && !logs.contains("/heartbeat"), "{logs}");
}
