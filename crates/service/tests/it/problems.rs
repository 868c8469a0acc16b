//! Every error is a problem with a request id.

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use serde::Deserialize;
use service::http::{ApiError, ApiResult, HttpSettings, Json, JsonOrForm, Path, Query, RawBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use crate::server::{Server, limits, no_dependencies, problem, settings};

#[derive(Deserialize)]
struct User {
    name: String,
    age: u32,
}

#[derive(Deserialize)]
struct Page {
    limit: u32,
}

fn router() -> Router {
    Router::new()
        .route("/users", post(async |Json(user): Json<User>| format!("{} {}", user.name, user.age)))
        .route("/forms", post(async |JsonOrForm(user): JsonOrForm<User>| format!("{} {}", user.name, user.age)))
        .route("/raw", post(async |RawBody(body): RawBody| body))
        .route("/users/{id}", get(async |Path(id): Path<Uuid>| id.to_string()))
        .route("/pages", get(async |Query(page): Query<Page>| page.limit.to_string()))
        .route("/panics", get(async || -> String { panic!("a bug with a secret") }))
        .route("/fails", get(async || -> ApiResult<()> { Err(anyhow::anyhow!("postgres://me:secret@host is gone"))? }))
        .route("/hangs", get(async || std::future::pending::<()>().await))
        .route("/refused", get(async || ApiError::unauthorized("who asks?", "Bearer")))
        .route("/plain", get(async |axum::extract::Path(id): axum::extract::Path<u8>| id.to_string()))
}

#[tokio::test]
async fn a_body_that_cannot_be_used_says_why() {
    let server = Server::start(router()).await;
    let post = |body: &'static str| {
        server.client.post(server.url("/users")).header("content-type", "application/json").body(body)
    };

    let fine = post(r#"{"name":"Ann","age":30}"#).send().await.unwrap();
    assert_eq!((fine.status().as_u16(), fine.text().await.unwrap().as_str()), (200, "Ann 30"));

    let broken = problem(post("{\n  \"name\": oops").send().await.unwrap(), 400).await;
    assert!(broken.detail.unwrap().contains("line 2 column"));

    let wrong = problem(post(r#"{"name":"Ann","age":"old"}"#).send().await.unwrap(), 422).await;
    assert_eq!(wrong.errors[0].field, "age");
    assert!(wrong.errors[0].detail.contains("expected u32"), "{:?}", wrong.errors);

    let text = server.client.post(server.url("/users")).body("name=Ann").send().await.unwrap();
    problem(text, 415).await;
}

#[tokio::test]
async fn a_form_is_as_good_as_json() {
    let server = Server::start(router()).await;
    let form = server.client.post(server.url("/forms")).form(&[("name", "Ann B"), ("age", "30")]).send().await.unwrap();
    assert_eq!(form.text().await.unwrap(), "Ann B 30");
    let wrong = server.client.post(server.url("/forms")).form(&[("name", "Ann")]).send().await.unwrap();
    assert_eq!(problem(wrong, 422).await.errors[0].field, "age");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_answered_and_not_reset() {
    let server = Server::start(router()).await;
    let exact = vec![b'x'; settings().body_limit];
    let fine = server.client.post(server.url("/raw")).body(exact.clone()).send().await.unwrap();
    assert_eq!(fine.bytes().await.unwrap().len(), exact.len());

    let huge = vec![b'x'; 4 * 1024 * 1024];
    problem(server.client.post(server.url("/raw")).body(huge.clone()).send().await.unwrap(), 413).await;

    let chunks = huge.chunks(100_000).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    let chunked = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
    problem(server.client.post(server.url("/raw")).body(chunked).send().await.unwrap(), 413).await;
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_not_allowed_405_with_allow() {
    let server = Server::start(router()).await;
    problem(server.get("/nothing").await, 404).await;
    let no_id = problem(server.get("/users/not-a-uuid").await, 404).await;
    assert!(no_id.detail.unwrap().contains("`id`"));

    let deleted = server.client.delete(server.url("/users")).send().await.unwrap();
    assert_eq!(deleted.headers()["allow"], "POST");
    problem(deleted, 405).await;
}

#[tokio::test]
async fn a_wrong_query_names_its_field() {
    let server = Server::start(router()).await;
    for (path, detail) in [("/pages?limit=x", "invalid digit"), ("/pages", "missing field")] {
        let wrong = problem(server.get(path).await, 422).await;
        assert_eq!(wrong.errors[0].field, "limit");
        assert!(wrong.errors[0].detail.contains(detail), "{:?}", wrong.errors);
    }
}

#[tokio::test]
async fn what_is_wrong_inside_stays_inside() {
    let server = Server::start(router()).await;
    for path in ["/panics", "/fails"] {
        let failed = problem(server.get(path).await, 500).await;
        assert!(!format!("{failed:?}").contains("secret"), "{failed:?}");
    }
    assert_eq!(server.get("/pages?limit=1").await.status(), 200, "a panic ends its request and nothing else");
}

#[tokio::test]
async fn a_handler_that_hangs_is_answered_in_time() {
    let server = Server::start(router()).await;
    let late = server.get("/hangs").await;
    assert_eq!(late.headers()["retry-after"], "1");
    problem(late, 503).await;
}

#[tokio::test]
async fn an_error_in_the_words_of_a_library_becomes_a_problem() {
    let server = Server::start(router()).await;
    problem(server.get("/plain").await, 500).await;
}

#[tokio::test]
async fn a_problem_says_error_and_message_too() {
    let server = Server::start(router()).await;
    let missing = problem(server.get("/users/not-a-uuid").await, 404).await;
    assert_eq!(missing.error.as_deref(), Some("Not Found"));
    assert!(missing.detail.is_some() && missing.message == missing.detail, "{missing:?}");
    for (path, status, message) in
        [("/nothing", 404, "Not Found"), ("/users", 405, "Method Not Allowed"), ("/refused", 401, "who asks?")]
    {
        let refused = problem(server.get(path).await, status).await;
        assert_eq!(refused.message.as_deref(), Some(message));
    }
}

/// What comes first to a client that sends a head with these headers and then waits.
async fn announced(server: &Server, headers: &str) -> String {
    let mut stream = server.connect().await;
    let head = format!("POST /raw HTTP/1.1\r\nhost: a\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.expect("the server takes the head");
    let mut answer = vec![0; 1024];
    let read = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut answer)).await.expect("an answer at once");
    String::from_utf8_lossy(&answer[..read.expect("it can be read")]).into_owned()
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_neither_invited_nor_waited_for() {
    let patient = HttpSettings { body_stall: Duration::from_secs(60), body_timeout: None, ..settings() };
    let server = Server::start_set(router(), no_dependencies(), limits(), patient).await;
    for headers in [
        "expect: 100-continue\r\ncontent-length: 9000000\r\n",
        "content-length: 9000000\r\n",
        "content-length: 9000000\r\n\r\nx",
    ] {
        let answer = announced(&server, headers).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{headers}: {answer}");
    }
    let answer = announced(&server, "expect: 100-continue\r\ncontent-length: 9\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 100 "), "{answer}");
}

#[tokio::test]
async fn json_that_is_too_deep_or_too_large_a_number_is_refused() {
    let server = Server::start(router()).await;
    let post = async |body: String| {
        let request = server.client.post(server.url("/users")).header("content-type", "application/json").body(body);
        request.send().await.expect("the server answers").status().as_u16()
    };
    assert_eq!(post(r#"{"name":"Ann","age":30,"x":[[1]]}"#.to_owned()).await, 200, "what is not known is passed over");
    for deep in ["[".repeat(60_000), "{\"a\":".repeat(10_000)] {
        assert_eq!(post(format!(r#"{{"name":"Ann","age":30,"x":{deep}"#)).await, 400);
    }
    for (age, status) in [
        ("4294967296", 422),
        ("-1", 422),
        ("1.5", 422),
        ("1e400", 400),
        ("1e-400", 422),
        (&"9".repeat(50_000), 400),
        (r#"{"$gt":0}"#, 422),
        (r#"{"$where":"sleep(1000)"}"#, 422),
        (r#"["30"]"#, 422),
    ] {
        assert_eq!(post(format!(r#"{{"name":"Ann","age":{age}}}"#)).await, status, "{age:.20}");
    }
    assert_eq!(post(r#"{"name":{"$ne":null},"age":30}"#.to_owned()).await, 422);
}

#[tokio::test]
async fn operators_in_a_query_are_no_values() {
    let server = Server::start(router()).await;
    for query in ["limit[$gt]=0", "limit=%7B%22$gt%22:0%7D", "limit=1;drop", "limit=1%00", "limit=99999999999"] {
        problem(server.get(&format!("/pages?{query}")).await, 422).await;
    }
}
