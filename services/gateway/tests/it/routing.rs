//! Which request goes where.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Version};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::stub::{Stub, header};
use crate::support::{Ask, Gateway, user};

#[tokio::test]
async fn every_request_goes_where_the_table_says() {
    let (producer, consumer) = (Stub::echo("producer").await, Stub::echo("consumer").await);
    let (owners, products, orders) =
        (Stub::echo("owners").await, Stub::echo("products").await, Stub::echo("orders").await);
    let services = [
        ("producer", &producer),
        ("consumer", &consumer),
        ("owners", &owners),
        ("products", &products),
        ("orders", &orders),
    ];
    let gateway = Gateway::of(&services, &[]).await;
    let user = user();
    for (method, path, service, upstream) in [
        ("POST", "/auth/login", "producer", "/auth/login"),
        ("GET", "/auth/me", "producer", "/auth/me"),
        ("GET", "/api/users", "producer", "/users"),
        ("GET", "/api/users?limit=5&after=a%2Fb", "producer", "/users?limit=5&after=a%2Fb"),
        ("PATCH", "/api/users/7/a/b", "producer", "/users/7/a/b"),
        ("POST", "/api/records", "producer", "/records"),
        ("GET", "/api/records", "producer", "/records"),
        ("GET", "/api/records/A-1", "consumer", "/records/A-1"),
        ("GET", "/api/records/A%201?x=y", "consumer", "/records/A%201?x=y"),
        ("PUT", "/api/records/A-1", "producer", "/records/A-1"),
        ("DELETE", "/api/records/A-1", "producer", "/records/A-1"),
        ("GET", "/api/tasks/1/events", "producer", "/tasks/1/events"),
        ("GET", "/api/owners/3", "owners", "/v1/owners/3"),
        ("POST", "/api/products", "products", "/v1/products"),
        ("OPTIONS", "/api/products", "products", "/v1/products"),
        ("GET", "/api/orders/summary?user_id=1", "orders", "/v1/orders/summary?user_id=1"),
    ] {
        let asked = gateway.ask(method, path).by(&user).answer().await.expect(200).json();
        assert_eq!(
            (&asked["service"], &asked["uri"], &asked["method"]),
            (&service.into(), &upstream.into(), &method.into())
        );
    }
    let head = gateway.ask("HEAD", "/api/records/A-1").by(&user).answer().await.expect(200);
    assert_eq!(head.body, "");
    assert_ne!(head.header("content-length"), "", "a HEAD has the length that a GET would have");
    assert_eq!(consumer.seen().last().unwrap()["method"], "HEAD");
}

#[tokio::test]
async fn what_no_service_answers_is_not_found() {
    let gateway = Gateway::start(&[]).await;
    for path in
        ["/", "/api", "/api/", "/api/user", "/api/usersx", "/users", "/API/users", "/api/user/1/dashboards", "/authx"]
    {
        gateway.get(path).answer().await.refused(404);
    }
}

#[tokio::test]
async fn a_path_that_may_be_read_in_two_ways_is_refused() {
    let products = Stub::echo("products").await;
    let gateway = Gateway::of(&[("products", &products)], &[]).await;
    for rest in [
        "../users",
        "..%2fusers",
        "%2e%2e/users",
        "a/%2E%2E/%2e%2e/users",
        "a//b",
        "a%2Fb",
        "a%5Cb",
        "a\\b",
        "a%00",
        "%zz",
    ] {
        let answer =
            gateway.talk(&format!("GET /api/products/{rest} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{rest}: {answer}");
    }
    assert_eq!(products.seen(), [] as [serde_json::Value; 0]);
}

#[tokio::test]
async fn a_full_url_in_the_request_line_goes_no_further_than_its_path() {
    let products = Stub::echo("products").await;
    let gateway = Gateway::of(&[("products", &products)], &[]).await;
    let request = "GET http://169.254.169.254/api/products/1 HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n";
    let asked = crate::support::raw_json(&gateway.talk(request).await);
    assert_eq!((&asked["service"], &asked["uri"]), (&"products".into(), &"/v1/products/1".into()));
}

#[tokio::test]
async fn http_2_is_spoken_with_clients_that_do() {
    let products = Stub::echo("products").await;
    let gateway = Gateway::of(&[("products", &products)], &[]).await;
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Body>();
    let request =
        Request::post(gateway.url("/api/products?a=b")).header("authorization", format!("Bearer {}", user().token));
    let answer = client.request(request.body(Body::from("small")).unwrap()).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, Version::HTTP_2));
    let asked = &products.seen()[0];
    assert_eq!((&asked["uri"], &asked["body"]), (&"/v1/products?a=b".into(), &"small".into()));
    assert_eq!(header(asked, "x-forwarded-host"), [gateway.address().to_string()]);
    assert_eq!(header(asked, "host"), [products.address().to_string()]);
}

#[tokio::test]
async fn an_answer_points_to_where_the_client_finds_it() {
    let router = Router::new().fallback(async move |headers: HeaderMap| {
        let at = headers["host"].to_str().expect("an address is text");
        [("location", "/tasks/7".to_owned()), ("content-location", format!("http://{at}/users/7"))]
    });
    let producer = Stub::serving(router).await;
    let gateway = Gateway::of(&[("producer", &producer), ("products", &producer)], &[]).await;
    let registered = gateway.ask("POST", "/auth/register").answer().await.expect(200);
    assert_eq!(["location", "content-location"].map(|name| registered.header(name)), ["/api/tasks/7", "/api/users/7"]);
    // The same paths of a service that has no such families stay as they are.
    let product = gateway.get("/api/products/7").answer().await.expect(200);
    assert_eq!(product.header("location"), "/tasks/7");
}

#[tokio::test]
async fn what_a_service_says_to_its_neighbour_goes_no_further() {
    let headers = [("connection", "x-inside"), ("x-inside", "1"), ("keep-alive", "timeout=5"), ("etag", "\"7\"")];
    let stub = Stub::serving(Router::new().fallback(async move || headers)).await;
    let gateway = Gateway::of(&[("products", &stub)], &[]).await;
    let answer = gateway.get("/api/products").answer().await.expect(200);
    assert_eq!(["etag", "x-inside", "keep-alive"].map(|name| answer.header(name)), ["\"7\"", "", ""]);
}
