//! Whether a server really answers, not only accepts connections.

use std::time::Duration;

use anyhow::ensure;
use bson::doc;
use mongodb::options::ClientOptions;
use sqlx::{Connection, MySqlConnection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use super::kind::Kind;
use crate::rabbit::TestRabbit;
use crate::{http, kafka};

/// One that starts may accept a connection and then be silent for long: ask anew.
const LIMIT: Duration = Duration::from_secs(3);

/// Asks once; any error is a no.
pub(super) async fn is_ready(kind: Kind, url: &Url, rabbit: Option<&TestRabbit>) -> bool {
    let answer = timeout(LIMIT, async {
        match kind {
            Kind::Postgres => postgres(url).await,
            Kind::Mysql => mysql(url).await,
            Kind::Mongodb => mongodb(url).await,
            Kind::Redis => redis(url).await,
            Kind::Rabbitmq => rabbitmq(url, rabbit).await,
            // Before that it answers, and finds nothing.
            Kind::Search => answers(url, "_cluster/health", &[("wait_for_status", "yellow"), ("timeout", "1s")]).await,
            Kind::Influxdb => answers(url, "ping", &[]).await,
            Kind::Kafka => broker(url).await,
        }
    });
    matches!(answer.await, Ok(Ok(())))
}

async fn postgres(url: &Url) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(url.as_str()).await?;
    connection.ping().await?;
    Ok(connection.close().await?)
}

async fn mysql(url: &Url) -> anyhow::Result<()> {
    let mut connection = MySqlConnection::connect(url.as_str()).await?;
    connection.ping().await?;
    Ok(connection.close().await?)
}

async fn mongodb(url: &Url) -> anyhow::Result<()> {
    let mut options = ClientOptions::parse(url.as_str()).await?;
    options.server_selection_timeout = Some(LIMIT);
    let client = ::mongodb::Client::with_options(options)?;
    client.database("admin").run_command(doc! { "ping": 1 }).await?;
    client.shutdown().immediate(true).await;
    Ok(())
}

/// While it loads its file it answers with an error.
async fn redis(url: &Url) -> anyhow::Result<()> {
    let mut connection = ::redis::Client::open(url.as_str())?.get_multiplexed_async_connection().await?;
    let _: String = ::redis::cmd("PING").query_async(&mut connection).await?;
    Ok(())
}

/// The management answers before clients are let in.
async fn rabbitmq(url: &Url, rabbit: Option<&TestRabbit>) -> anyhow::Result<()> {
    let address = url.socket_addrs(|| None)?;
    let mut stream = TcpStream::connect(&*address).await?;
    stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
    // The first frame is of the kind "method": connection.start. A refusal would be a protocol header.
    ensure!(stream.read_u8().await? == 1, "the broker speaks another protocol");
    let running = match rabbit {
        Some(rabbit) => rabbit.is_running().await,
        None => false,
    };
    ensure!(running, "the vhost does not run yet");
    Ok(())
}

async fn answers(url: &Url, path: &str, query: &[(&str, &str)]) -> anyhow::Result<()> {
    http::client(LIMIT).get(http::at(url, path)).query(query).send().await?.error_for_status()?;
    Ok(())
}

/// A broker that has just started is known some time after it listens.
async fn broker(url: &Url) -> anyhow::Result<()> {
    ensure!(kafka::brokers(url).await? > 0, "no broker works yet");
    Ok(())
}
