//! Calls by gRPC.

mod breaking;
mod calling;
mod repeating;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::HeaderMap;
use clap::Parser;
use client::grpc::{Channel, GrpcCallArgs, GrpcServices};
use client::{CallArgs, InstanceReport, RegistryArgs};
use proto::v1::owner_service_client::OwnerServiceClient;
use proto::v1::owner_service_server::{OwnerService, OwnerServiceServer};
use proto::v1::{GetOwnerRequest, Owner};
use testkit::Proxy;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::service::Routes;
use tonic::{Code, Response, Status};

/// An instance of `shop` that answers by the id that it is asked for.
struct Shop {
    shared: Arc<Shared>,
    /// Stands before it, so that it can be cut off.
    proxy: Proxy,
}

struct Shared {
    name: String,
    calls: AtomicUsize,
    is_away: AtomicUsize,
}

#[derive(Clone)]
struct Answering(Arc<Shared>);

#[tonic::async_trait]
impl OwnerService for Answering {
    async fn get_owner(&self, request: tonic::Request<GetOwnerRequest>) -> Result<Response<Owner>, Status> {
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        if self.0.is_away.load(Ordering::SeqCst) > 0 {
            return Err(Status::unavailable("the database is away"));
        }
        let headers: HeaderMap = request.metadata().clone().into_headers();
        match request.get_ref().owner_id.as_str() {
            "nobody" => return Err(Status::not_found("there is nobody")),
            "late" => std::future::pending().await,
            "too late" => return Err(Status::deadline_exceeded("the database is slow")),
            _ => {}
        }
        let header = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap_or_default()).to_owned();
        Ok(Response::new(Owner {
            owner_id: request.into_inner().owner_id,
            first_name: self.0.name.clone(),
            last_name: header("x-service-name"),
            email: header("x-request-id"),
            address: header("grpc-timeout"),
            created_by: header("x-correlation-id"),
            ..Owner::default()
        }))
    }
}

impl Shop {
    async fn start(name: &str) -> Self {
        let shared = Shared { name: name.to_owned(), calls: AtomicUsize::new(0), is_away: AtomicUsize::new(0) };
        let shared = Arc::new(shared);
        let router = Routes::new(OwnerServiceServer::new(Answering(shared.clone()))).into_axum_router();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("it listens");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shared, proxy: testkit::proxy(&address.to_string()).await }
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.proxy.port()))
    }

    fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::SeqCst)
    }

    /// It answers that it is UNAVAILABLE, or not any more.
    fn is_away(&self, away: bool) {
        self.shared.is_away.store(usize::from(away), Ordering::SeqCst);
    }
}

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    calls: CallArgs,
    #[command(flatten)]
    grpc: GrpcCallArgs,
}

struct Caller {
    services: GrpcServices,
    _stop: DropGuard,
}

impl Caller {
    fn new(arguments: &[&str]) -> Self {
        let quick = ["test", "--call-backoff", "0.01"];
        let Settings { registry, calls, grpc } = Settings::parse_from(quick.iter().chain(arguments));
        let stop = CancellationToken::new();
        let services = GrpcServices::start(&registry, &calls, &grpc, "caller", &stop).expect("the settings are right");
        Self { services, _stop: stop.drop_guard() }
    }

    fn of(shops: &[&Shop], arguments: &[&str]) -> Self {
        let urls: Vec<_> = shops.iter().map(|shop| format!("shop=http://{}", shop.address())).collect();
        let urls = urls.join(",");
        Self::new(&[&["--grpc-urls", &urls], arguments].concat())
    }

    async fn ask(&self, owner_id: &str) -> Result<Owner, Status> {
        ask(self.services.channel("shop").idempotent(), owner_id).await
    }

    async fn code(&self, owner_id: &str) -> Code {
        self.ask(owner_id).await.map_or_else(|status| status.code(), |_| Code::Ok)
    }

    /// Who answered.
    async fn who(&self) -> String {
        self.ask("7").await.expect("there is an instance").first_name
    }

    fn report(&self, shop: &Shop) -> InstanceReport {
        let address = shop.address().to_string();
        self.services.report().into_iter().find(|report| report.address == address).expect("it is known")
    }
}

async fn ask(channel: Channel, owner_id: &str) -> Result<Owner, Status> {
    let request = GetOwnerRequest { owner_id: owner_id.to_owned() };
    OwnerServiceClient::new(channel).get_owner(request).await.map(Response::into_inner)
}
