//! The servers, each asked in its own protocol with the credentials that the programs use.

use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use bson::{Document, doc};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, select_ok};
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use messaging::{Backoff, Broker, Settings, Topology};
use reqwest::{Client, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use service::connect::{self, PoolSettings};
use url::Url;

use super::address::{of_mongodb, of_url};
use super::{Answer, Finding, LIMIT, State, ask, wire};
use crate::args::DoctorArgs;

const ONCE: Backoff = Backoff { attempts: 1, base: Duration::ZERO, cap: Duration::ZERO };

/// All of them.
pub(super) fn checks(args: &DoctorArgs) -> Vec<BoxFuture<'_, Finding>> {
    let DoctorArgs { database_url, mysql_url, mongodb_url, redis_url, amqp_url, .. } = args;
    let core = |name, variable, address, asked: BoxFuture<'static, _>| {
        let advice =
            format!("see whether it runs (`./dev status`; `./dev up` starts it), and whether {variable} is right");
        async move { ask(name, address, advice, asked).await }.boxed()
    };
    let further = |name, variable, url: Option<&SecretString>, asked: fn(SecretString) -> BoxFuture<'static, _>| {
        let Some(url) = url else { return std::future::ready(not_in_use(name, variable)).boxed() };
        // Brokers of Kafka are not named by a URL.
        let address = if variable == "KAFKA_BROKERS" { Some(url.expose_secret().to_owned()) } else { of_url(url) };
        let asked = asked(url.clone());
        let advice = format!("see whether it runs (`./dev up --full` starts it), and whether {variable} is right");
        async move { ask(name, address, advice, asked).await }.boxed()
    };
    vec![
        core("PostgreSQL", "DATABASE_URL", of_url(database_url), postgres(database_url.clone()).boxed()),
        core("MariaDB", "MYSQL_URL", of_url(mysql_url), mysql(mysql_url.clone()).boxed()),
        core("MongoDB", "MONGODB_URL", of_mongodb(mongodb_url), mongodb(mongodb_url.clone()).boxed()),
        core("Redis", "REDIS_URL", of_url(redis_url), redis(redis_url.clone()).boxed()),
        core("RabbitMQ", "AMQP_URL", of_url(amqp_url), rabbitmq(amqp_url.clone()).boxed()),
        further("search", "SEARCH_URL", args.search_url(), |url| search(url).boxed()),
        further("Kafka", "KAFKA_BROKERS", args.kafka_brokers(), |brokers| kafka(brokers).boxed()),
        further("InfluxDB", "INFLUXDB_URL", args.influxdb_url(), |url| influxdb(url).boxed()),
        further("S3", "S3_URL", args.s3_url(), |url| s3(url).boxed()),
        further("mail", "SMTP_URL", args.smtp_url(), |url| mail(url).boxed()),
    ]
}

fn not_in_use(name: &str, variable: &str) -> Finding {
    Finding {
        name: name.to_owned(),
        address: None,
        state: State::NotInUse,
        version: None,
        latency_ms: None,
        problem: None,
        advice: Some(format!("{variable} names one; `./dev up --full` starts one")),
    }
}

fn pool() -> PoolSettings {
    PoolSettings { statement_timeout: LIMIT, ..PoolSettings::connections(1) }
}

async fn postgres(url: SecretString) -> anyhow::Result<Answer> {
    let pool = connect::postgres("DATABASE_URL", &url, pool(), &ONCE).await?;
    let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(&pool).await?;
    Ok(Answer::version(version))
}

async fn mysql(url: SecretString) -> anyhow::Result<Answer> {
    let pool = connect::mysql("MYSQL_URL", &url, pool(), &ONCE).await?;
    let version: String = sqlx::query_scalar("SELECT VERSION()").fetch_one(&pool).await?;
    Ok(Answer::version(version))
}

async fn mongodb(url: SecretString) -> anyhow::Result<Answer> {
    let client = connect::mongodb("MONGODB_URL", &url, pool(), &ONCE).await?;
    let told: Document = client.database("admin").run_command(doc! { "buildInfo": 1 }).await?;
    Ok(Answer { version: told.get_str("version").ok().map(str::to_owned), lacks: None })
}

async fn redis(url: SecretString) -> anyhow::Result<Answer> {
    let mut connection = connect::redis("REDIS_URL", &url, pool(), &ONCE).await?;
    let told: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
    let version =
        told.lines().find_map(|line| line.strip_prefix("redis_version:")).map(|version| version.trim().to_owned());
    Ok(Answer { version, lacks: None })
}

async fn rabbitmq(url: SecretString) -> anyhow::Result<Answer> {
    let broker = Broker::open(Settings::new(url.expose_secret(), "warren doctor", Topology::default()))?;
    broker.ping().await?;
    broker.close().await;
    Ok(Answer { version: product(&url).await, lacks: None })
}

/// It answers already, so a version that cannot be had is none.
async fn product(url: &SecretString) -> Option<String> {
    let url = Url::parse(url.expose_secret()).ok().filter(|url| url.scheme() == "amqp")?;
    let host = url.host_str()?.trim_matches(['[', ']']);
    wire::amqp_product((host, url.port().unwrap_or(5672))).await.ok()?
}

#[derive(Deserialize)]
struct SearchRoot {
    version: SearchVersion,
}

#[derive(Deserialize)]
struct SearchVersion {
    number: String,
    distribution: Option<String>,
}

async fn search(url: SecretString) -> anyhow::Result<Answer> {
    let answer = http(&url, "").await?;
    let root: SearchRoot = answer.error_for_status().map_err(told)?.json().await.map_err(told)?;
    let SearchVersion { number, distribution } = root.version;
    Ok(Answer::version(format!("{} {number}", distribution.as_deref().unwrap_or("elasticsearch"))))
}

async fn kafka(brokers: SecretString) -> anyhow::Result<Answer> {
    let brokers = brokers.expose_secret().split(',').map(str::trim).filter(|broker| !broker.is_empty());
    let asked: Vec<_> = brokers.map(|broker| wire::kafka_answers(broker).boxed()).collect();
    ensure!(!asked.is_empty(), "KAFKA_BROKERS names none");
    // A client finds the others by any one of them.
    select_ok(asked).await?;
    Ok(Answer::default())
}

async fn influxdb(url: SecretString) -> anyhow::Result<Answer> {
    let answer = http(&url, "ping").await?.error_for_status().map_err(told)?;
    Ok(Answer { version: header(&answer, "x-influxdb-version"), lacks: None })
}

/// Whoever has no credentials is refused, which tells enough.
async fn s3(url: SecretString) -> anyhow::Result<Answer> {
    let answer = http(&url, "").await?;
    ensure!(!answer.status().is_server_error(), "it answers {}", answer.status());
    Ok(Answer { version: header(&answer, "server"), lacks: None })
}

async fn mail(url: SecretString) -> anyhow::Result<Answer> {
    let url = url.expose_secret().trim();
    // An error of it may repeat the URL.
    let transport =
        AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|_| anyhow!("it is not like smtp://host:port"))?;
    let answers = transport.timeout(Some(LIMIT)).build::<Tokio1Executor>().test_connection().await?;
    ensure!(answers, "it does not answer");
    Ok(Answer::default())
}

async fn http(url: &SecretString, path: &str) -> anyhow::Result<Response> {
    let mut url = Url::parse(url.expose_secret().trim()).context("it is not like http://host:port")?;
    url.path_segments_mut().map_err(|()| anyhow!("it is not like http://host:port"))?.pop_if_empty().push(path);
    let client = Client::builder().no_proxy().timeout(LIMIT).build().map_err(told)?;
    client.get(url).send().await.map_err(told)
}

fn told(error: reqwest::Error) -> anyhow::Error {
    anyhow!(crate::api::told(error))
}

fn header(answer: &Response, name: &str) -> Option<String> {
    answer.headers().get(name)?.to_str().ok().map(str::to_owned)
}
