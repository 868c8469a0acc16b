//! `warren seed`.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use serde_json::Value;

use crate::stub::Stub;

/// The bodies of what was made, in the order of their keys.
fn made(stub: &Stub, what: &str) -> Vec<Value> {
    let known = stub.known();
    known.made.iter().filter(|((of, _), _)| of == what).map(|(_, (body, _))| body.clone()).collect()
}

#[tokio::test]
async fn a_shop_is_filled_and_a_second_run_makes_nothing_twice() {
    let stub = Stub::start().await;
    let arguments = ["seed", "--owners=3", "--products=20", "--seed=7", "--json"];
    let first = stub.warren(&arguments).await.expect(0).json();
    let (owners, products) = (made(&stub, "owners"), made(&stub, "products"));
    assert_eq!((owners.len(), products.len()), (3, 20));
    assert_eq!((first["owners"].as_array().unwrap().len(), first["products"].as_array().unwrap().len()), (3, 20));

    let known: BTreeSet<_> = first["owners"].as_array().unwrap().iter().map(Value::to_string).collect();
    assert!(products.iter().all(|product| known.contains(&product["owner_id"].to_string())));
    let names: BTreeSet<_> = products.iter().map(|product| product["name"].to_string()).collect();
    assert_eq!(names.len(), 20);

    let second = stub.warren(&arguments).await.expect(0).json();
    assert_eq!(second, first);
    assert_eq!((made(&stub, "owners").len(), made(&stub, "products").len()), (3, 20));
    assert_eq!(stub.known().writes, 46);

    stub.warren(&["seed", "--owners=3", "--products=20", "--seed=8"]).await.expect(0);
    assert_eq!((made(&stub, "owners").len(), made(&stub, "products").len()), (6, 40));
    stub.warren(&["seed", "--owners=5", "--products=20", "--seed=7"]).await.expect(0);
}

#[tokio::test]
async fn the_shop_is_as_it_was() {
    let stub = Stub::start().await;
    let run = stub.warren(&["seed", "--owners=1", "--products=3"]).await.expect(0);
    let mut products = made(&stub, "products");
    for product in &mut products {
        product["owner_id"] = Value::Null;
    }
    insta::assert_json_snapshot!("shop", (made(&stub, "owners"), products));
    for told in ["The shop has 1 owner and 3 products.", "Try next:", "/api/orders"] {
        assert!(run.out.contains(told), "{}", run.out);
    }
    assert!(!run.out.contains("warren-admin-password"), "{}", run.out);
    assert_eq!(run.err, "");
}

#[tokio::test]
async fn what_cannot_be_done_now_is_done_a_little_later() {
    let stub = Stub::start().await;
    stub.known().instead =
        vec![(StatusCode::SERVICE_UNAVAILABLE, 1), (StatusCode::TOO_MANY_REQUESTS, 1), (StatusCode::BAD_GATEWAY, 0)];
    stub.warren(&["seed", "--owners=1", "--products=2"]).await.expect(0);
    assert_eq!((made(&stub, "owners").len(), made(&stub, "products").len()), (1, 2));
}

#[tokio::test]
async fn past_the_limit_of_requests_it_ends_and_says_how_to_go_on() {
    let stub = Stub::start().await;
    stub.known().instead = vec![(StatusCode::TOO_MANY_REQUESTS, 800)];
    let run = stub.warren(&["seed", "--owners=1", "--products=2"]).await.expect(5);
    assert!(run.err.contains("again in 800 s") && run.err.contains("--direct"), "{}", run.err);
    stub.warren(&["seed", "--owners=1", "--products=2"]).await.expect(0);
}

#[tokio::test]
async fn past_the_gateway_the_services_are_asked_themselves() {
    let stub = Stub::start().await;
    for service in ["producer", "owners", "products"] {
        stub.known().instances.insert(service.to_owned(), stub.address());
    }
    let run = stub.warren(&["seed", "--direct", "--owners=2", "--products=2", "--url=http://127.0.0.1:1"]).await;
    run.expect(0);
    assert_eq!((made(&stub, "owners").len(), made(&stub, "products").len()), (2, 2));
}

#[tokio::test]
async fn a_user_who_is_not_known_is_registered_but_not_with_the_example_password() {
    let stub = Stub::start().await;
    let own = ["seed", "--owners=1", "--products=0", "--email=ada@example.org", "--password=correct horse battery"];
    stub.warren(&own).await.expect(0);
    stub.warren(&own).await.expect(0);
    assert_eq!(stub.known().users["ada@example.org"], "correct horse battery");

    let example = ["seed", "--owners=1", "--products=0", "--email=eve@example.org"];
    let run = stub.warren(&example).await.expect(4);
    assert!(run.err.contains("--password"), "{}", run.err);
    assert!(!stub.known().users.contains_key("eve@example.org"));
    let wrong = ["seed", "--email=ada@example.org", "--password=something else"];
    stub.warren(&wrong).await.expect(4);
}
