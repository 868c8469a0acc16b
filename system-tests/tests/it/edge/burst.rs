//! A thousand requests at once, at two gateways.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use serde_json::json;
use system_tests::{Ask, Site};

use crate::server::{Kind, Servers};
use crate::world::Process;

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_requests_to_two_gateways_exactly_as_many_as_the_limit_are_answered_with_a_success() {
    let servers = Servers::with(&[]).await;
    let producer = servers.producer().start().await;
    let gateway = || {
        Process::new("gateway")
            .env("REDIS_URL", servers.url(Kind::Redis))
            .env("SERVICE_URLS", &format!("producer={}", producer.base()))
            .env("RATE_LIMIT", "100")
            // However busy this machine is, they do not count each for itself.
            .env("RATE_LIMIT_PATIENCE", "10")
    };
    let (one, other) = tokio::join!(gateway().start(), gateway().start());
    let behind = Site::behind(producer.base());
    let user = json!({ "name": "Ada", "email": "ada@example.org", "password": "a long secret" });
    behind.post("/auth/register", &user).answer().await.expect(202);
    let login = behind.post("/auth/login", &user).answer().await.expect(200).json();
    let token = login["access_token"].as_str().expect("tokens are text");

    let gateways = [&one, &other].map(|gateway| Site::behind(gateway.base()).with_token(token));
    let statuses = stream::iter(0..1_000)
        .map(|number| gateways[number % 2].get("/auth/me").answer())
        .buffer_unordered(100)
        .fold(BTreeMap::<u16, usize>::new(), async |mut statuses, answer| {
            *statuses.entry(answer.status).or_default() += 1;
            statuses
        })
        .await;
    assert_eq!(statuses, BTreeMap::from([(200, 100), (429, 900)]));
}
