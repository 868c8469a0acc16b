//! Where the shared test servers are: from the environment, with the addresses that `./dev test` uses as defaults.

use std::fmt::Display;
use std::path::PathBuf;

use url::Url;

/// The shared Postgres.
pub(crate) fn postgres() -> Url {
    url("TEST_POSTGRES_URL", "postgres://warren:warren@127.0.0.1:25432/warren")
}

/// The shared MariaDB.
pub(crate) fn mysql() -> Url {
    url("TEST_MYSQL_URL", "mysql://warren:warren@127.0.0.1:23306/warren")
}

/// The shared Redis.
pub(crate) fn redis() -> Url {
    url("TEST_REDIS_URL", "redis://127.0.0.1:26379")
}

/// The shared MongoDB.
pub(crate) fn mongodb() -> Url {
    url("TEST_MONGODB_URL", "mongodb://127.0.0.1:27117/?directConnection=true")
}

/// The shared RabbitMQ.
pub(crate) fn amqp() -> Url {
    url("TEST_AMQP_URL", "amqp://warren:warren@127.0.0.1:25672/%2f")
}

/// The shared RabbitMQ's management, with an administrator's name and password.
pub(crate) fn rabbitmq_api() -> Url {
    url("TEST_RABBITMQ_API", "http://warren:warren@127.0.0.1:25673")
}

/// The shared search server, which speaks Elasticsearch's REST.
pub(crate) fn search() -> Url {
    url("TEST_SEARCH_URL", "http://127.0.0.1:29200")
}

/// The shared Kafka, as a URL.
pub(crate) fn kafka() -> Url {
    let brokers = from_environment("TEST_KAFKA_BROKERS").unwrap_or_else(|| "127.0.0.1:29092".to_owned());
    Url::parse(&format!("kafka://{brokers}"))
        .unwrap_or_else(|error| panic!("TEST_KAFKA_BROKERS is no address: {error}"))
}

/// The shared InfluxDB.
pub(crate) fn influxdb() -> Url {
    url("TEST_INFLUXDB_URL", "http://127.0.0.1:28086")
}

/// The shared S3.
pub(crate) fn s3() -> Url {
    url("TEST_S3_URL", "http://127.0.0.1:29000")
}

/// The access key and the secret key of the shared S3.
pub(crate) fn s3_keys() -> (String, String) {
    let key = |name, default: &str| from_environment(name).unwrap_or_else(|| default.to_owned());
    (key("TEST_S3_ACCESS_KEY", "warren"), key("TEST_S3_SECRET_KEY", "warren-password"))
}

/// The shared mail server.
pub(crate) fn mail() -> Url {
    url("TEST_MAIL_URL", "smtp://127.0.0.1:21025")
}

/// Where the shared mail server keeps what it gets.
pub(crate) fn mail_folder() -> PathBuf {
    from_environment("TEST_MAIL_FOLDER")
        .map_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../.dev/test/data/mail/mails").into(), PathBuf::from)
}

/// The program that runs one real server in the foreground.
pub(crate) fn native_server() -> PathBuf {
    from_environment("WARREN_NATIVE_SERVER")
        .map_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/native/server").into(), PathBuf::from)
}

/// What a server is reached with, or the end of the test, in words that say what to do.
pub(crate) fn reached<T, E: Display>(server: &Url, result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| {
        // Never the whole URL: it holds a password.
        let place = place(server);
        panic!("the test server {place} is not reachable: run ./dev test, or ./dev test-servers up first ({error:#})")
    })
}

/// `scheme://host:port` of a URL.
fn place(server: &Url) -> String {
    let host = server.host_str().unwrap_or_default();
    let port = server.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", server.scheme())
}

fn url(name: &str, default: &str) -> Url {
    let text = from_environment(name).unwrap_or_else(|| default.to_owned());
    Url::parse(&text).unwrap_or_else(|error| panic!("{name} is not a URL: {error}"))
}

/// A variable of the environment that is set and not empty.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the environment for tests")]
pub(crate) fn from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
