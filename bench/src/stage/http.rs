//! Single HTTP requests to our own programs and to RabbitMQ's management.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::handshake;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::address;
use super::servers::BASIC;

/// Nothing that is asked here takes long.
const LIMIT: Duration = Duration::from_secs(10);

/// Asks with what shows who asks.
pub(super) async fn ask(method: Method, to: SocketAddr, path: &str, authorization: &str) -> anyhow::Result<StatusCode> {
    let request = Request::builder().method(method).uri(path).header(AUTHORIZATION, authorization);
    Ok(send(to, request.header(HOST, to.to_string()).body(Full::default())?).await?.status())
}

/// The same of RabbitMQ's management.
pub(super) async fn ask_rabbitmq(method: Method, port: u16, path: &str) -> anyhow::Result<StatusCode> {
    ask(method, address(port), path, BASIC).await
}

/// Sends JSON, with what shows who asks if that is needed, and is answered with JSON.
pub(super) async fn post(
    to: SocketAddr,
    path: &str,
    authorization: Option<&str>,
    body: &Value,
) -> anyhow::Result<(StatusCode, Value)> {
    let mut request = Request::post(path).header(HOST, to.to_string()).header(CONTENT_TYPE, "application/json");
    if let Some(authorization) = authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    let answer = send(to, request.body(Full::from(body.to_string()))?).await?;
    let status = answer.status();
    let body = serde_json::from_slice(answer.body()).with_context(|| format!("{path} was answered with {status}"))?;
    Ok((status, body))
}

/// Over a connection of its own.
async fn send(to: SocketAddr, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Bytes>> {
    let asked = async {
        let stream = TcpStream::connect(to).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        connection.abort();
        anyhow::Ok(Response::from_parts(head, body))
    };
    timeout(LIMIT, asked).await.context("no answer in time")?
}

/// Whether a program of ours is ready.
pub(super) async fn answers(port: u16) -> anyhow::Result<()> {
    let to = address(port);
    let request = Request::get("/ready").header(HOST, to.to_string()).body(Full::default())?;
    let status = send(to, request).await?.status();
    anyhow::ensure!(status.is_success(), "answered with {status}");
    Ok(())
}
