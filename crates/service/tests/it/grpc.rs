//! Calls by gRPC, as they arrive at a program.

mod calls;
mod health;
mod logged;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use prost::Message;
use proto::v1::owner_service_server::{OwnerService, OwnerServiceServer};
use proto::v1::{GetOwnerRequest, Owner};
use service::Health;
use service::grpc::GrpcServer;
use service::http::HttpLimits;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};

use crate::server::{limits, no_dependencies};

/// Answers by the id that it is asked for.
#[derive(Clone)]
struct Stub(Arc<Shared>);

struct Shared {
    /// One for each that has come to the gate.
    arrived: Semaphore,
    gate: Semaphore,
    /// One for each that has passed it.
    passed: Semaphore,
}

impl Stub {
    fn new() -> Self {
        let none = || Semaphore::new(0);
        Self(Arc::new(Shared { arrived: none(), gate: none(), passed: none() }))
    }

    async fn arrived(&self) {
        come(&self.0.arrived).await;
    }

    /// Lets one pass.
    fn open(&self) {
        self.0.gate.add_permits(1);
    }

    async fn passed(&self) {
        come(&self.0.passed).await;
    }
}

async fn come(one: &Semaphore) {
    let came = tokio::time::timeout(Duration::from_secs(20), one.acquire()).await;
    came.expect("it comes within 20 s").expect("it is never closed").forget();
}

#[tonic::async_trait]
impl OwnerService for Stub {
    async fn get_owner(&self, request: tonic::Request<GetOwnerRequest>) -> Result<Response<Owner>, Status> {
        match request.get_ref().owner_id.as_str() {
            "panic" => panic!("a bug in a handler"),
            "nobody" => return Err(Status::not_found("there is nobody")),
            "gate" => {
                self.0.arrived.add_permits(1);
                self.0.gate.acquire().await.expect("it is never closed").forget();
                self.0.passed.add_permits(1);
            }
            _ => {}
        }
        Ok(Response::new(Owner { owner_id: request.into_inner().owner_id, ..Owner::default() }))
    }
}

struct Grpc {
    address: SocketAddr,
    stub: Stub,
    stop: CancellationToken,
    serving: JoinHandle<anyhow::Result<()>>,
}

/// A raw answer.
#[derive(Debug)]
struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    /// The status of gRPC, from the headers or the trailers.
    code: Option<Code>,
}

impl Grpc {
    async fn start() -> Self {
        Self::start_with(no_dependencies(), limits()).await
    }

    async fn start_with(health: Health, limits: HttpLimits) -> Self {
        let stub = Stub::new();
        let server = GrpcServer::new(health, proto::FILE_DESCRIPTOR_SET).service(OwnerServiceServer::new(stub.clone()));
        let router = server.router().expect("the descriptors are in order");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let (address, stop) = (listener.local_addr().expect("it listens"), CancellationToken::new());
        let serving = tokio::spawn(service::grpc::serve(listener, router, stop.clone(), limits));
        Self { address, stub, stop, serving }
    }

    fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.address)).expect("an address makes a URL").connect_lazy()
    }

    /// Asks for an owner without any client's own deadline.
    async fn ask(&self, owner_id: &str, headers: &[(&str, &str)]) -> Answered {
        let headers: Vec<_> = [("content-type", "application/grpc")].iter().chain(headers).copied().collect();
        self.send("/warren.v1.OwnerService/GetOwner", &headers, framed(owner_id)).await
    }

    async fn send(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answered {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let mut request = Request::post(format!("http://{}{path}", self.address)).header(header::TE, "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).expect("the request is in order");
        let answer = tokio::time::timeout(Duration::from_secs(30), client.request(request)).await;
        let (head, body) = answer.expect("an answer within 30 s").expect("it answers").into_parts();
        let body = body.collect().await.expect("the answer is whole");
        let code = body.trailers().and_then(|trailers| trailers.get("grpc-status"));
        let code = code.or_else(|| head.headers.get("grpc-status")).map(|code| Code::from_bytes(code.as_bytes()));
        Answered { status: head.status, headers: head.headers, code }
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.serving.await.expect("the server does not panic")
    }
}

/// A message as it goes over the wire.
fn framed(owner_id: &str) -> Vec<u8> {
    let message = GetOwnerRequest { owner_id: owner_id.to_owned() }.encode_to_vec();
    let length = u32::try_from(message.len()).expect("a test's message is short");
    [&[0][..], &length.to_be_bytes(), &message].concat()
}
