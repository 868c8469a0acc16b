//! A registry that keeps everything in memory, and whose watch can be missing.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Json, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, post};
use contracts::registry::{Discovered, Instance, InstanceRef, Register};
use futures_util::{Stream, StreamExt};
use testkit::Proxy;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub(crate) struct Registry {
    shared: Arc<Shared>,
    proxy: Proxy,
}

struct Shared {
    services: watch::Sender<BTreeMap<String, Vec<Instance>>>,
    /// What it was asked, in order.
    asked: Mutex<Vec<String>>,
    lookups: watch::Sender<usize>,
    tells: bool,
}

impl Registry {
    pub(crate) async fn start() -> Self {
        Self::started(true).await
    }

    /// Has to be asked.
    pub(crate) async fn without_watch() -> Self {
        Self::started(false).await
    }

    async fn started(tells: bool) -> Self {
        let shared = Arc::new(Shared {
            services: watch::Sender::default(),
            asked: Mutex::default(),
            lookups: watch::Sender::default(),
            tells,
        });
        let router = Router::new()
            .route("/register", post(register))
            .route("/heartbeat", post(heartbeat))
            .route("/deregister", post(deregister))
            .route("/discover/{service}", get(discover))
            .route("/watch", get(watch))
            .with_state(shared.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("it listens");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shared, proxy: testkit::proxy(&address.to_string()).await }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.proxy.port())
    }

    /// Sets the instances of `shop`.
    pub(crate) fn set(&self, instances: &[(&str, SocketAddr)]) {
        self.set_with(instances, |_| BTreeMap::new());
    }

    /// Sets the instances of `shop`, by where they answer gRPC.
    pub(crate) fn set_grpc(&self, instances: &[(&str, SocketAddr)]) {
        self.set_with(instances, |at| BTreeMap::from([("grpc_port".to_owned(), at.port().to_string())]));
    }

    fn set_with(&self, instances: &[(&str, SocketAddr)], metadata: impl Fn(&SocketAddr) -> BTreeMap<String, String>) {
        let instance = |(id, at): &(&str, SocketAddr)| Instance {
            id: (*id).to_owned(),
            host: at.ip().to_string(),
            port: at.port(),
            metadata: metadata(at),
        };
        let instances = instances.iter().map(instance).collect();
        self.shared.services.send_modify(|services| drop(services.insert("shop".to_owned(), instances)));
    }

    pub(crate) fn instances(&self, service: &str) -> Vec<Instance> {
        self.shared.services.borrow().get(service).cloned().unwrap_or_default()
    }

    /// As if it had lost its state.
    pub(crate) fn forget(&self) {
        self.shared.services.send_replace(BTreeMap::new());
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().expect("nothing panics").clone()
    }

    pub(crate) fn lookups(&self) -> usize {
        *self.shared.lookups.borrow()
    }

    pub(crate) async fn kill(&self) {
        self.proxy.cut().await;
    }

    pub(crate) async fn revive(&self) {
        self.proxy.restore().await;
    }
}

impl Shared {
    fn note(&self, what: &str, headers: &HeaderMap) {
        let known = headers.get("authorization").is_some_and(|token| token == "Bearer warren-registry-token");
        let what = if known { what.to_owned() } else { format!("{what} without the token") };
        self.asked.lock().expect("nothing panics").push(what);
    }
}

type Shop = State<Arc<Shared>>;

async fn register(State(shared): Shop, headers: HeaderMap, Json(register): Json<Register>) -> Json<Instance> {
    shared.note("register", &headers);
    let Register { service, instance } = register;
    shared.services.send_modify(|services| {
        let instances = services.entry(service).or_default();
        instances.retain(|known| known.id != instance.id);
        instances.push(instance.clone());
    });
    Json(instance)
}

async fn heartbeat(State(shared): Shop, headers: HeaderMap, Json(who): Json<InstanceRef>) -> StatusCode {
    shared.note("heartbeat", &headers);
    let services = shared.services.borrow();
    let known = services.get(&who.service).is_some_and(|all| all.iter().any(|one| one.id == who.instance_id));
    if known { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

async fn deregister(State(shared): Shop, headers: HeaderMap, Json(who): Json<InstanceRef>) -> StatusCode {
    shared.note("deregister", &headers);
    shared.services.send_modify(|services| {
        services.entry(who.service).or_default().retain(|known| known.id != who.instance_id);
    });
    StatusCode::NO_CONTENT
}

async fn discover(State(shared): Shop, Path(service): Path<String>) -> Json<Discovered> {
    shared.lookups.send_modify(|lookups| *lookups += 1);
    let instances = shared.services.borrow().get(&service).cloned().unwrap_or_default();
    Json(Discovered { service, instances })
}

async fn watch(State(shared): Shop) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Response> {
    if !shared.tells {
        return Err(axum::response::IntoResponse::into_response(StatusCode::NOT_FOUND));
    }
    let states = futures_util::stream::unfold((shared.services.subscribe(), true), async |(mut services, first)| {
        if !first {
            services.changed().await.ok()?;
        }
        let state = services.borrow_and_update().clone();
        Some((state, (services, false)))
    });
    let events = states.scan(HashSet::new(), |told, state| {
        // A service whose instances are gone is told as empty once more.
        told.extend(state.keys().cloned());
        let all: Vec<_> = told
            .iter()
            .map(|service| Discovered {
                service: service.clone(),
                instances: state.get(service).cloned().unwrap_or_default(),
            })
            .map(|discovered| Ok(Event::default().event("instances").id("1").json_data(discovered).expect("is JSON")))
            .collect();
        std::future::ready(Some(futures_util::stream::iter(all)))
    });
    let keep_alive = KeepAlive::new().interval(Duration::from_millis(50)).text("still here");
    Ok(Sse::new(events.flatten()).keep_alive(keep_alive))
}
