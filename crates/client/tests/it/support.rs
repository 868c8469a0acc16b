//! Settings, and calls.

use std::net::SocketAddr;

use bytes::Bytes;
use clap::Parser;
use client::{Answer, Call, CallArgs, CallBody, CallError, InstanceReport, RegistryArgs, Services};
use http::{Method, Request};
use http_body_util::BodyExt;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::backend::Backend;

#[derive(Parser)]
pub(crate) struct Config {
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
    #[command(flatten)]
    pub(crate) calls: CallArgs,
}

/// Short waits, and else the defaults.
pub(crate) fn config(arguments: &[&str]) -> Config {
    let has = |name: &&&str| arguments.contains(*name);
    let quick = ["--call-backoff", "0.01", "--heartbeat-every", "0.1"];
    let quick = quick.chunks(2).filter(|pair| !has(&&pair[0])).flatten();
    Config::parse_from(["test"].iter().chain(quick).chain(arguments))
}

/// The services as a program sees them, until the end of the test.
pub(crate) struct Caller {
    pub(crate) services: Services,
    _stop: DropGuard,
}

impl Caller {
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let config = config(arguments);
        let stop = CancellationToken::new();
        let services =
            Services::start(&config.registry, &config.calls, "caller", &stop).expect("the settings are right");
        Self { services, _stop: stop.drop_guard() }
    }

    /// With the instances of `shop` in the settings, and no registry.
    pub(crate) fn of(backends: &[&Backend], arguments: &[&str]) -> Self {
        let addresses: Vec<_> = backends.iter().map(|backend| backend.address()).collect();
        Self::of_addresses(&addresses, arguments)
    }

    pub(crate) fn of_addresses(addresses: &[SocketAddr], arguments: &[&str]) -> Self {
        let urls: Vec<_> = addresses.iter().map(|address| format!("shop=http://{address}")).collect();
        let urls = urls.join(",");
        Self::new(&[&["--service-urls", &urls], arguments].concat())
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Result<Answer, CallError> {
        self.services.send("shop", Call::new(request(method, path, CallBody::Whole(body.into())))).await
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, CallError> {
        self.send(Method::GET, path, "").await
    }

    /// Who answered.
    pub(crate) async fn who(&self) -> String {
        text(self.get("/").await.expect("there is an instance")).await
    }

    /// How the only instance is.
    pub(crate) fn only(&self) -> InstanceReport {
        let mut report = self.services.report();
        assert_eq!(report.len(), 1, "{report:?}");
        report.remove(0)
    }
}

pub(crate) fn request(method: Method, path: &str, body: CallBody) -> Request<CallBody> {
    Request::builder().method(method).uri(path).body(body).expect("the request is complete")
}

pub(crate) async fn text(answer: Answer) -> String {
    let body = answer.response.into_body().collect().await.expect("the answer is whole").to_bytes();
    String::from_utf8(body.to_vec()).expect("it is text")
}
