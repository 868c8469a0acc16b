//! `warren doctor`, on real servers; the services are played.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::stub::{Scripted, Stub};
use crate::support::Ran;

const CORE: [&str; 6] = ["producer", "consumer", "owners", "products", "orders", "payments"];

/// Addresses at which nobody is.
const NOBODY: [&str; 5] = [
    "--database-url=postgres://me:hunter2@127.0.0.1:1/db",
    "--mysql-url=mysql://me:hunter2@127.0.0.1:1/db",
    "--mongodb-url=mongodb://me:hunter2@127.0.0.1:1/?serverSelectionTimeoutMS=100",
    "--redis-url=redis://:hunter2@127.0.0.1:1",
    "--amqp-url=amqp://me:hunter2@127.0.0.1:1/vhost",
];

fn up() -> Value {
    json!({ "status": "up", "service": "any", "version": "0.1.0", "dependencies": {} })
}

fn instance(id: &str, address: std::net::SocketAddr, healthy: bool) -> Value {
    let at = "2026-01-02T03:04:05Z";
    json!({ "id": id, "host": address.ip().to_string(), "port": address.port(), "healthy": healthy,
        "registered_at": at, "last_heartbeat": at })
}

/// Registry, gateway and all services at one address.
async fn services() -> (Stub, Value) {
    let stub = Stub::start().await;
    let mut services = json!({});
    for service in CORE {
        services[service] = json!([instance(service, stub.address(), true)]);
    }
    stub.answer("GET /health", Scripted::json(&up()));
    stub.answer("GET /services", Scripted::json(&json!({ "services": services })));
    (stub, services)
}

fn finding(run: &Ran, name: &str) -> Value {
    let findings = run.json()["findings"].take();
    let found = findings.as_array().and_then(|all| all.iter().find(|finding| finding["name"] == name)).cloned();
    found.unwrap_or_else(|| panic!("nothing is found about {name}: {}", run.out))
}

#[tokio::test]
async fn every_server_and_service_that_is_well_is_told_with_its_version() {
    let (stub, _) = services().await;
    let (postgres, mysql, mongodb) = tokio::join!(testkit::postgres(), testkit::mysql(), testkit::mongodb());
    let (redis, rabbit) = tokio::join!(testkit::redis(), testkit::rabbitmq());
    let (search, kafka, influxdb) = tokio::join!(testkit::search(), testkit::kafka(), testkit::influxdb());
    let (s3, mail) = tokio::join!(testkit::s3(), testkit::mail());
    let arguments = [
        "doctor".to_owned(),
        format!("--database-url={}", postgres.url()),
        format!("--mysql-url={}", mysql.url()),
        format!("--mongodb-url={}", mongodb.url()),
        format!("--redis-url={}", redis.url()),
        format!("--amqp-url={}", rabbit.url()),
        format!("--search-url={}", search.url()),
        format!("--kafka-brokers=127.0.0.1:1, {}", kafka.brokers()),
        format!("--influxdb-url={}", influxdb.url()),
        format!("--s3-url={}", s3.url()),
        format!("--smtp-url={}", mail.url()),
        format!("--service-urls=bridge=http://{}", stub.address()),
    ];
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = stub.warren(&arguments).await.expect(0);
    assert!(!run.out.contains("ILL") && run.out.contains("RabbitMQ"), "{}", run.out);
    assert!(!run.out.contains("warren:"), "a password: {}", run.out);

    arguments.push("--json");
    let run = stub.warren(&arguments).await.expect(0);
    for server in ["PostgreSQL", "MariaDB", "MongoDB", "Redis", "RabbitMQ", "search", "InfluxDB", "S3"] {
        let found = finding(&run, server);
        let version = found["version"].as_str().unwrap_or_default();
        assert!(version.contains(|c: char| c.is_ascii_digit()), "{found}");
        assert!(found["state"] == "well" && found["latency_ms"].as_f64() > Some(0.0), "{found}");
        assert!(found["address"].is_string() && found.get("advice").is_none(), "{found}");
    }
    assert!(finding(&run, "RabbitMQ")["version"].as_str().unwrap().starts_with("RabbitMQ "), "{}", run.out);
    for server in ["Kafka", "mail"].iter().chain(&CORE).chain(&["registry", "gateway"]) {
        assert_eq!(finding(&run, server)["state"], "well", "{}", run.out);
    }
    // It answers, but has not registered.
    assert_eq!(finding(&run, "bridge")["state"], "degraded", "{}", run.out);
}

#[tokio::test]
async fn what_is_ill_says_what_to_do_and_no_password() {
    let (stub, _) = services().await;
    let further = ["--s3-url=", "--kafka-brokers=127.0.0.1:1", "--smtp-url=smtp://me:hunter2@127.0.0.1:1"];
    let arguments = [&["doctor"], &NOBODY[..], &further[..]].concat();
    let run = stub.warren(&arguments).await.expect(3);
    assert!(
        run.err.contains("not well: PostgreSQL, MariaDB, MongoDB, Redis, RabbitMQ, Kafka, mail, bridge"),
        "{}",
        run.err
    );
    assert!(run.out.contains("ILL") && run.out.contains("to do: see whether it runs"), "{}", run.out);
    assert!(!run.out.contains("hunter2") && !run.err.contains("hunter2"), "{run:?}");
    let run = stub.warren(&[&arguments[..], &["--json"]].concat()).await.expect(3);
    assert!(!run.out.contains("hunter2"), "{}", run.out);
    for (server, variable) in [("PostgreSQL", "DATABASE_URL"), ("RabbitMQ", "AMQP_URL"), ("mail", "SMTP_URL")] {
        let found = finding(&run, server);
        assert!(found["state"] == "ill" && found["problem"].is_string(), "{found}");
        assert!(found["advice"].as_str().unwrap().contains(variable), "{found}");
    }
    for server in ["search", "InfluxDB", "S3"] {
        assert_eq!(finding(&run, server)["state"], "not_in_use");
    }
}

#[tokio::test]
async fn wrong_passwords_and_malformed_urls_are_ill_and_not_shown() {
    let (stub, _) = services().await;
    let (mysql, rabbit) = tokio::join!(testkit::mysql(), testkit::rabbitmq());
    let with = |url: &str| {
        let mut url = url::Url::parse(url).unwrap();
        url.set_password(Some("hunter2")).unwrap();
        url
    };
    let (mysql, rabbit) = (format!("--mysql-url={}", with(mysql.url())), format!("--amqp-url={}", with(rabbit.url())));
    let wrong = [
        "doctor",
        "--json",
        "--database-url=postgres://me:hunter2?@x/db",
        "--redis-url=hunter2",
        &mysql,
        &rabbit,
        "--mongodb-url=mongodb://me:hun/ter2@a",
        "--search-url=hunter2",
        "--smtp-url=x://me:hunter2@a",
    ];
    let run = stub.warren(&wrong).await.expect(3);
    assert!(mysql.contains("hunter2") && rabbit.contains("hunter2"));
    assert!(!run.out.contains("hunter2") && !run.out.contains("ter2") && !run.err.contains("hunter2"), "{run:?}");
    for server in ["PostgreSQL", "MariaDB", "MongoDB", "Redis", "RabbitMQ", "search", "mail"] {
        assert_eq!(finding(&run, server)["state"], "ill", "{}", run.out);
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_five_seconds_at_the_same_time_as_all_others() {
    let (stub, _) = services().await;
    let redis = testkit::redis().await;
    let silent = testkit::proxy(redis.url()).await;
    silent.blackhole().await;
    let at = silent.port();
    let servers = [
        format!("--database-url=postgres://me:hunter2@127.0.0.1:{at}/db"),
        format!("--mysql-url=mysql://me:hunter2@127.0.0.1:{at}/db"),
        format!("--mongodb-url=mongodb://127.0.0.1:{at}/"),
        format!("--redis-url=redis://127.0.0.1:{at}"),
        format!("--amqp-url=amqp://me:hunter2@127.0.0.1:{at}/x"),
        format!("--search-url=http://127.0.0.1:{at}"),
        format!("--kafka-brokers=127.0.0.1:{at}"),
        format!("--smtp-url=smtp://127.0.0.1:{at}"),
    ];
    let mut arguments = vec!["doctor", "--json"];
    arguments.extend(servers.iter().map(String::as_str));
    let begun = std::time::Instant::now();
    let run = stub.warren(&arguments).await.expect(3);
    // One after another they would take 40 s.
    assert!(begun.elapsed().as_secs() < 15, "{:?}", begun.elapsed());
    for server in ["PostgreSQL", "MariaDB", "MongoDB", "Redis", "RabbitMQ", "search", "Kafka", "mail"] {
        let found = finding(&run, server);
        assert!(found["state"] == "ill" && found["problem"].is_string(), "{found}");
    }
}

#[tokio::test]
async fn services_say_themselves_how_they_are() {
    let (stub, mut services) = services().await;
    let (ill, lacking) = (Stub::start().await, Stub::start().await);
    let down = json!({ "status": "down", "service": "orders", "version": "0.1.0", "dependencies": {
        "mongodb": { "status": "down", "required": true, "latency_ms": 1.0, "last_error": "gone \u{1b}[2J\u{9b}" },
        "redis": { "status": "up", "required": false, "latency_ms": 1.0 },
    } });
    ill.answer("GET /health", Scripted::json(&down).with_status(StatusCode::SERVICE_UNAVAILABLE));
    let mut degraded = down.clone();
    degraded["status"] = json!("degraded");
    lacking.answer("GET /health", Scripted::json(&degraded));
    let gone = "127.0.0.1:1".parse().unwrap();
    services["orders"] = json!([instance("1", ill.address(), true)]);
    services["owners"] = json!([instance("1", lacking.address(), true)]);
    services["producer"] = json!([instance("1", stub.address(), true), instance("2", gone, false)]);
    services.as_object_mut().unwrap().remove("payments");
    stub.answer("GET /services", Scripted::json(&json!({ "services": services })));

    let run = stub.warren(&[&["doctor", "--json"], &NOBODY[..]].concat()).await.expect(3);
    let orders = finding(&run, "orders");
    let problem = orders["problem"].as_str().unwrap();
    assert!(
        orders["state"] == "ill" && problem.contains("it is down: mongodb (gone") && !problem.contains("redis"),
        "{orders}"
    );
    assert!(orders["advice"].as_str().unwrap().contains("./dev logs orders"), "{orders}");
    let owners = finding(&run, "owners");
    assert!(owners["state"] == "degraded" && owners["version"] == "0.1.0", "{owners}");
    assert!(finding(&run, "payments")["problem"].as_str().unwrap().contains("no instance"), "{}", run.out);
    assert!(run.err.contains("orders, payments") && !run.err.contains("producer"), "{}", run.err);
    assert!(run.out.contains("it has gone without a word"), "{}", run.out);
    stub.warren(&[&["doctor"], &NOBODY[..]].concat()).await.expect(3);
}

#[tokio::test]
async fn without_a_registry_those_are_asked_whose_address_is_told() {
    let (stub, _) = services().await;
    let told = format!("--service-urls=producer=http://{}", stub.address());
    let run = stub
        .warren(&[&["doctor", "--json", "--registry-url=http://127.0.0.1:1", &told], &NOBODY[..]].concat())
        .await
        .expect(3);
    assert_eq!(finding(&run, "producer")["state"], "well");
    assert_eq!(
        (&finding(&run, "registry")["state"], &finding(&run, "orders")["state"]),
        (&json!("ill"), &json!("ill"))
    );
}
