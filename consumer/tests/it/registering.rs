//! The consumer's place in the registry.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::routing::post;
use serde_json::Value;
use testkit::eventually;

use super::stopping::program;
use super::support::Servers;

/// What a registry that agrees with everything was told: path and body.
type Told = Arc<Mutex<Vec<(String, Value)>>>;

async fn registry() -> (Told, String) {
    let told = Told::default();
    let tell = told.clone();
    let hear = async move |uri: Uri, axum::Json(body): axum::Json<Value>| {
        tell.lock().expect("nothing panics").push((uri.path().to_owned(), body));
        StatusCode::NO_CONTENT
    };
    let router = Router::new().route("/{what}", post(hear));
    let listener = service::listen(([127, 0, 0, 1], 0).into()).await.expect("there is a free port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (told, url)
}

#[tokio::test]
async fn it_is_found_while_it_works_and_no_more_when_it_stops() {
    let servers = Servers::new().await;
    let (told, registry) = registry().await;
    let (program, url) = program(&servers, &["health_check"]).await;
    let program = program.env("REGISTRY_URL", registry).start().await;
    let registered = || async { told.lock().expect("nothing panics").first().cloned() };
    let (path, register) = eventually("it registers", registered).await;
    assert_eq!((path.as_str(), &register["service"]), ("/register", &Value::from("consumer-worker")));
    let instance = &register["instance"];
    assert_eq!(format!("http://{}:{}", instance["host"].as_str().unwrap_or_default(), instance["port"]), url);

    assert_eq!(program.sigterm().await, 0, "{}", program.logs());
    let told = told.lock().expect("nothing panics");
    let (path, leaves) = told.last().expect("it has registered");
    assert_eq!((path.as_str(), &leaves["instance_id"]), ("/deregister", &instance["id"]));
}
