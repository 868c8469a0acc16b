//! What is logged of a request, and what is not.

use serde_json::Value;

use crate::stub::Stub;
use crate::support::{Ask, client, user};

#[tokio::test]
async fn a_request_is_one_line_that_tells_who_asked_what_of_whom_and_no_secret() {
    let stub = Stub::echo("producer").await;
    let port = testkit::free_port();
    let gateway = testkit::Program::cargo_bin("gateway")
        .env("LISTEN", format!("127.0.0.1:{port}"))
        .env("REDIS_URL", testkit::redis().await.url())
        .env("SERVICE_URLS", stub.named("producer"))
        .env("LOG_FORMAT", "json")
        .start()
        .await;
    let base = format!("http://127.0.0.1:{port}");
    gateway.wait_ready(&format!("{base}/ready")).await;
    let user = user();
    let request = client().get(format!("{base}/api/users/7?token=hunter2")).by(&user);
    request.header("x-request-id", "logged-1").header("x-api-key", "hunter2").answer().await.expect(200);
    assert_eq!(gateway.sigterm().await, 0);

    let logs = gateway.logs();
    let lines: Vec<Value> = logs
        .lines()
        .filter(|line| line.contains("logged-1") && line.contains("answered"))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}")))
        .collect();
    let [line] = lines.as_slice() else { panic!("not one line: {logs}") };
    let text = line.to_string();
    for part in
        ["127.0.0.1", "/api/users/7?token=*", "/api/users/{*rest}", &user.id.to_string(), &stub.address().to_string()]
    {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(line.to_string().contains("\"status\":200"), "{text}");
    assert!(!logs.contains("hunter2") && !logs.contains(&user.token), "{logs}");
}
