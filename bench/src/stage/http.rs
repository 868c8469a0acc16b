//! Single HTTP requests to our own programs and to RabbitMQ's management.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::handshake;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::servers::BASIC;

/// Nothing that is asked here takes long.
const LIMIT: Duration = Duration::from_secs(10);

/// Asks over a connection of its own.
pub(super) async fn ask(method: Method, port: u16, path: &str) -> anyhow::Result<StatusCode> {
    let asked = async {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path);
        let request = request.header(HOST, "127.0.0.1").header(AUTHORIZATION, BASIC).body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        connection.abort();
        anyhow::Ok(status)
    };
    timeout(LIMIT, asked).await.context("no answer in time")?
}

/// Whether a program of ours is ready.
pub(super) async fn answers(port: u16) -> anyhow::Result<()> {
    let status = ask(Method::GET, port, "/ready").await?;
    anyhow::ensure!(status.is_success(), "answered with {status}");
    Ok(())
}
