//! One kept-alive HTTP/1.1 connection, and the requests that go over it.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::orders::Orders;
use super::work::Call;

/// What is asked for. Each load has a name, which makes what it writes unlike that of any other.
#[derive(Clone, Debug)]
pub(crate) enum Requests {
    /// `POST /records`.
    Records(String),
    /// `POST /user`.
    Users(String),
    /// `GET /send`.
    Texts,
    /// `GET` of one thing, with a token if it needs one.
    Read { uri: Uri, authorization: Option<HeaderValue> },
    /// `POST /v1/orders`, answered when the order has ended.
    Orders(Orders),
}

impl Requests {
    /// The SRN of a record; in the order of their numbers.
    pub(crate) fn srn(load: &str, index: u64) -> String {
        format!("{load}-{index:09}")
    }

    fn parts(&self) -> (Method, Uri) {
        match self {
            Self::Records(_) => (Method::POST, Uri::from_static("/records")),
            Self::Users(_) => (Method::POST, Uri::from_static("/user")),
            Self::Texts => (Method::GET, Uri::from_static("/send?msg=how+long+does+this+take")),
            Self::Read { uri, .. } => (Method::GET, uri.clone()),
            Self::Orders(_) => (Method::POST, Uri::from_static("/v1/orders")),
        }
    }

    /// How each is answered.
    fn answer(&self) -> StatusCode {
        match self {
            Self::Records(_) | Self::Users(_) | Self::Texts => StatusCode::ACCEPTED,
            Self::Read { .. } | Self::Orders(_) => StatusCode::OK,
        }
    }

    fn body(&self, index: u64) -> Bytes {
        match self {
            Self::Records(load) => {
                let srn = Self::srn(load, index);
                format!(r#"{{"Name":"Ada Lovelace","SRN":"{srn}","Section":"B"}}"#).into()
            }
            Self::Users(load) => {
                format!(r#"{{"name":"Ada","email":"{load}-{index}@example.org","password":"correct horse"}}"#).into()
            }
            Self::Texts | Self::Read { .. } => Bytes::new(),
            Self::Orders(orders) => orders.body(index),
        }
    }
}

/// A connection; opened anew when it breaks.
pub(super) struct Connection {
    to: SocketAddr,
    host: HeaderValue,
    requests: Arc<Requests>,
    method: Method,
    uri: Uri,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    pub(super) async fn open(to: SocketAddr, requests: Arc<Requests>) -> anyhow::Result<Self> {
        let host = HeaderValue::try_from(to.to_string())?;
        let (method, uri) = requests.parts();
        let sender = connect(to).await.with_context(|| format!("connecting to {to}"))?;
        Ok(Self { to, host, requests, method, uri, sender })
    }

    fn request(&self, index: u64) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.requests.body(index)));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().insert(HOST, self.host.clone());
        if self.method == Method::POST {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        match &*self.requests {
            Requests::Read { authorization: Some(authorization), .. } => {
                request.headers_mut().insert(AUTHORIZATION, authorization.clone());
            }
            Requests::Orders(orders) => request.headers_mut().extend(orders.headers(index)),
            _ => {}
        }
        request
    }

    async fn send(&mut self, index: u64) -> anyhow::Result<()> {
        if self.sender.is_closed() {
            self.sender = connect(self.to).await?;
        }
        self.sender.ready().await?;
        let response = self.sender.send_request(self.request(index)).await?;
        let status = response.status();
        let mut body = response.into_body();
        if matches!(&*self.requests, Requests::Orders(_)) {
            let told = body.collect().await?.to_bytes();
            anyhow::ensure!(status == self.requests.answer(), "answered with {status}");
            return Orders::confirmed(&told);
        }
        while let Some(frame) = body.frame().await {
            frame?;
        }
        anyhow::ensure!(status == self.requests.answer(), "answered with {status}");
        Ok(())
    }
}

impl Call for Connection {
    async fn call(&mut self, index: u64) -> Result<(), String> {
        self.send(index).await.map_err(|error| format!("{error:#}"))
    }
}

async fn connect(to: SocketAddr) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Its end shows in the sender too.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}
