//! How many requests a client may send.

use std::collections::BTreeMap;

use futures_util::StreamExt;
use futures_util::stream;

use crate::stub::Stub;
use crate::support::{Answered, Ask, Gateway, urls, user};

#[tokio::test]
async fn a_burst_over_two_gateways_gives_exactly_the_limit() {
    let (redis, products) = (testkit::redis().await, Stub::echo("products").await);
    let urls = urls(&[("products", &products)]);
    let arguments = [urls.as_str(), "--rate-limit=100"];
    let (one, other) = tokio::join!(
        Gateway::start_with_redis(redis.url(), &arguments),
        Gateway::start_with_redis(redis.url(), &arguments),
    );
    let gateways = [&one, &other];
    let statuses = stream::iter(0..1_000)
        .map(|number| gateways[number % 2].get("/api/products").answer())
        .buffer_unordered(100)
        .fold(BTreeMap::<u16, usize>::new(), async |mut statuses, answer| {
            *statuses.entry(answer.status.as_u16()).or_default() += 1;
            statuses
        })
        .await;
    assert_eq!(statuses, BTreeMap::from([(200, 100), (429, 900)]));
    assert_eq!(products.seen().len(), 100);
}

#[tokio::test]
async fn who_is_over_the_limit_is_told_when_to_come_back() {
    let gateway = Gateway::start(&["--rate-limit=3", "--rate-limit-window=600"]).await;
    let standing = |answer: &Answered| {
        assert_eq!((answer.header("ratelimit-limit"), answer.header("ratelimit-policy")), ("3", "3;w=600"));
        assert!((1..=600).contains(&answer.header("ratelimit-reset").parse::<u64>().unwrap()));
        answer.header("ratelimit-remaining").to_owned()
    };
    let user = user();
    // Whatever becomes of a request: it counts, and its answer tells so.
    let answers = [
        gateway.get("/api/users").answer().await.expect(401),
        gateway.get("/nothing").answer().await.expect(404),
        gateway.get("/api/users").by(&user).answer().await.expect(503),
    ];
    assert_eq!(answers.each_ref().map(standing), ["2", "1", "0"]);
    for _ in 0..2 {
        let refused = gateway.get("/api/users").by(&user).answer().await;
        assert_eq!(standing(&refused), "0");
        assert!((1..=600).contains(&refused.header("retry-after").parse::<u64>().unwrap()));
        refused.refused(429);
    }
}

#[tokio::test]
async fn the_count_begins_anew_with_the_next_window() {
    let gateway = Gateway::start(&["--rate-limit=1", "--rate-limit-window=0.5"]).await;
    gateway.get("/nothing").answer().await.expect(404);
    gateway.get("/nothing").answer().await.refused(429);
    testkit::eventually("the window ends", async || {
        let answer = gateway.get("/nothing").answer().await;
        (answer.status == 404).then_some(())
    })
    .await;
}

#[tokio::test]
async fn health_status_metrics_and_documents_are_not_counted() {
    let gateway = Gateway::start(&["--rate-limit=1", "--cors-origins=*"]).await;
    for path in ["/health", "/live", "/ready", "/status", "/metrics", "/api-docs/openapi.json"] {
        let answer = gateway.get(path).answer().await.expect(200);
        assert_eq!(answer.header("ratelimit-limit"), "");
    }
    let preflight = gateway.ask("OPTIONS", "/api/users").header("origin", "https://shop.example");
    preflight.header("access-control-request-method", "GET").answer().await.expect(200);
    gateway.get("/nothing").answer().await.expect(404);
    gateway.get("/nothing").answer().await.refused(429);
    gateway.get("/health").answer().await.expect(200);
}

#[tokio::test]
async fn a_client_is_one_whatever_addresses_it_names() {
    let gateway = Gateway::start(&["--rate-limit=5"]).await;
    let answers = stream::iter(0..1_000)
        .map(|number| {
            let address = format!("198.51.{}.{}", number / 250, number % 250);
            gateway
                .get("/nothing")
                .header("x-forwarded-for", &address)
                .header("forwarded", format!("for={address}"))
                .answer()
        })
        .buffer_unordered(50)
        .filter(|answer| std::future::ready(answer.status == 429))
        .count();
    assert_eq!(answers.await, 995);
}

#[tokio::test]
async fn a_trusted_proxy_tells_clients_apart() {
    let gateway = Gateway::start(&["--rate-limit=1", "--trusted-proxies=127.0.0.0/8,10.0.0.0/8"]).await;
    let ask =
        async |forwarded: &str| gateway.get("/nothing").header("x-forwarded-for", forwarded).answer().await.status;
    assert_eq!(ask("198.51.100.1").await, 404);
    assert_eq!(ask("198.51.100.2, 10.1.2.3").await, 404);
    assert_eq!(ask("1.2.3.4, 198.51.100.1").await, 429);
    assert_eq!(ask("2001:db8::1").await, 404);
    assert_eq!(ask("2001:db8::2").await, 429);
}
