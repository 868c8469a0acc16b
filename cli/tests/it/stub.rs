//! Warren, as far as the program sees it: everything at one address.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

pub(crate) use crate::scripted::Scripted;
use crate::support::{self, Ran, Running};

/// What the stub knows and does.
#[derive(Default)]
pub(crate) struct Known {
    /// Passwords by e-mail address.
    pub(crate) users: BTreeMap<String, String>,
    pub(crate) admins: Vec<String>,
    /// What was made, by the path and the idempotency key, with the first body.
    pub(crate) made: BTreeMap<(String, String), (Value, Value)>,
    /// All writes, also repeated ones.
    pub(crate) writes: usize,
    /// What is answered to the next writes instead, the last one first.
    pub(crate) instead: Vec<(StatusCode, u64)>,
    /// How many documents each service has, which it replays two at a time.
    pub(crate) documents: BTreeMap<String, u64>,
    pub(crate) unreadable: u64,
    /// Which parts were replayed: service, and after which document.
    pub(crate) replayed: Vec<(String, Option<Uuid>)>,
    /// Where the registry says that services are.
    pub(crate) instances: BTreeMap<String, SocketAddr>,
    /// What is answered to requests such as `GET /api/tasks?limit=1` that nothing else here is for; without a query, whatever it is.
    pub(crate) answers: BTreeMap<String, Scripted>,
    /// These requests in their order, with their bodies.
    pub(crate) asked: Vec<(String, Value)>,
}

#[derive(Clone)]
pub(crate) struct Stub {
    known: Arc<Mutex<Known>>,
    address: SocketAddr,
}

impl Stub {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let stub = Self { known: Arc::default(), address: listener.local_addr().expect("it listens") };
        let router = Router::new()
            .route("/auth/login", post(login))
            .route("/auth/register", post(register))
            .route("/api/{what}", post(create))
            .route("/v1/{what}", post(create))
            .route("/discover/{service}", get(discover))
            .fallback(scripted)
            .method_not_allowed_fallback(scripted)
            .with_state(stub.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        stub.known().users.insert("admin@example.org".to_owned(), "warren-admin-password".to_owned());
        stub.known().admins.push("admin@example.org".to_owned());
        stub
    }

    /// A service of its own, at an address of its own, that passes all on to this one.
    pub(crate) async fn service(&self, name: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("it listens");
        let replaying = move |state: State<Stub>, query: Query<BTreeMap<String, Uuid>>, headers: HeaderMap| {
            replay(state, Path(name.to_owned()), query, headers)
        };
        let router = Router::new().route("/admin/replay", post(replaying)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        self.known().instances.insert(name.to_owned(), address);
        address
    }

    /// Answers this to such requests.
    pub(crate) fn answer(&self, request: impl Into<String>, answer: Scripted) {
        self.known().answers.insert(request.into(), answer);
    }

    /// The bodies that came with such requests.
    pub(crate) fn asked(&self, request: &str) -> Vec<Value> {
        let known = self.known();
        known.asked.iter().filter(|(asked, _)| asked == request).map(|(_, body)| body.clone()).collect()
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("nothing panics while it is locked")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `--url` and `--registry-url`.
    pub(crate) fn arguments(&self) -> [String; 2] {
        [format!("--url=http://{}", self.address), format!("--registry-url=http://{}", self.address)]
    }

    /// Runs the program with these.
    pub(crate) async fn warren(&self, arguments: &[&str]) -> Ran {
        support::warren(&self.all(arguments).iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// Starts it.
    pub(crate) fn start_warren(&self, arguments: &[&str]) -> Running {
        support::start(&self.all(arguments).iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn all(&self, arguments: &[&str]) -> Vec<String> {
        let own = |argument: &String| {
            let name = argument.split('=').next().unwrap_or_default();
            arguments.iter().any(|argument| argument.starts_with(name))
        };
        let further = self.arguments().into_iter().filter(|argument| !own(argument));
        arguments.iter().map(ToString::to_string).chain(further).collect()
    }
}

async fn scripted(State(stub): State<Stub>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let request = format!("{method} {uri}");
    let mut known = stub.known();
    let is_open = ["/health", "/services"].contains(&uri.path());
    if !is_open && who(&headers).is_none() {
        return problem(StatusCode::UNAUTHORIZED, "the request needs an access token");
    }
    known.asked.push((request.clone(), serde_json::from_slice(&body).unwrap_or_default()));
    let whatever_is_queried = format!("{method} {}", uri.path());
    match known.answers.get(&request).or_else(|| known.answers.get(&whatever_is_queried)) {
        Some(answer) => answer.clone().into_response(),
        None => problem(StatusCode::NOT_FOUND, &format!("nothing is written down for {request}")),
    }
}

fn problem(status: StatusCode, detail: &str) -> Response {
    (status, Json(json!({ "status": status.as_u16(), "detail": detail }))).into_response()
}

fn text(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap_or_default().to_owned()
}

async fn login(State(stub): State<Stub>, Json(body): Json<Value>) -> Response {
    let email = text(&body, "email");
    if stub.known().users.get(&email) != Some(&text(&body, "password")) {
        return problem(StatusCode::UNAUTHORIZED, "wrong e-mail address or password");
    }
    Json(json!({ "access_token": format!("token of {email}"), "token_type": "Bearer" })).into_response()
}

async fn register(State(stub): State<Stub>, Json(body): Json<Value>) -> Response {
    let mut known = stub.known();
    let email = text(&body, "email");
    if known.users.contains_key(&email) {
        return problem(StatusCode::CONFLICT, "the e-mail address is taken");
    }
    known.users.insert(email, text(&body, "password"));
    (StatusCode::ACCEPTED, Json(json!({ "task_id": Uuid::now_v7() }))).into_response()
}

/// The e-mail address of whoever asks.
fn who(headers: &HeaderMap) -> Option<String> {
    Some(headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer token of ")?.to_owned())
}

async fn create(
    State(stub): State<Stub>,
    Path(what): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    if what == "users" {
        assert!(headers.contains_key("idempotency-key"), "each write has a key");
        let body = Bytes::from(body.to_string());
        return scripted(State(stub), Method::POST, Uri::from_static("/api/users"), headers, body).await;
    }
    let mut known = stub.known();
    known.writes += 1;
    if let Some((status, after)) = known.instead.pop() {
        return ([("retry-after", after.to_string())], problem(status, "not now")).into_response();
    }
    if who(&headers).is_none() {
        return problem(StatusCode::UNAUTHORIZED, "the request needs an access token");
    }
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).expect("each write has a key");
    let id = if what == "owners" { "owner_id" } else { "product_id" };
    let new = (body.clone(), json!({ id: Uuid::now_v7() }));
    let (first, answer) = known.made.entry((what, key.to_owned())).or_insert(new);
    if *first != body {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "another request was sent under this key");
    }
    (StatusCode::CREATED, Json(answer.clone())).into_response()
}

async fn discover(State(stub): State<Stub>, Path(service): Path<String>) -> Json<Value> {
    let address = stub.known().instances.get(&service).copied();
    let instances: Vec<_> = address
        .iter()
        .map(|address| json!({ "id": "1", "host": address.ip().to_string(), "port": address.port() }))
        .collect();
    Json(json!({ "service": service, "instances": instances }))
}

async fn replay(
    State(stub): State<Stub>,
    Path(service): Path<String>,
    Query(query): Query<BTreeMap<String, Uuid>>,
    headers: HeaderMap,
) -> Response {
    let mut known = stub.known();
    if !who(&headers).is_some_and(|who| known.admins.contains(&who)) {
        return problem(StatusCode::FORBIDDEN, "only an admin may do this");
    }
    let after = query.get("after").copied();
    known.replayed.push((service.clone(), after));
    let done = after.map_or(0, |after| after.as_u128() as u64);
    let left = known.documents.get(&service).copied().unwrap_or_default().saturating_sub(done);
    let next = (left > 2).then(|| Uuid::from_u128(u128::from(done) + 2));
    let (documents, unreadable) = (left.min(2), known.unreadable);
    let confirmed = documents - unreadable.min(documents);
    let mut report =
        json!({ "documents": documents, "confirmed": confirmed, "failed": 0, "unreadable": documents - confirmed });
    if let Some(next) = next {
        report["next"] = json!(next);
    }
    Json(report).into_response()
}
