//! `warren replay`.

use serde_json::json;
use uuid::Uuid;

use crate::stub::Stub;

const SERVICES: [&str; 4] = ["owners", "products", "orders", "payments"];

async fn with_services() -> Stub {
    let stub = Stub::start().await;
    for (service, documents) in SERVICES.into_iter().zip([0, 2, 3, 5]) {
        stub.service(service).await;
        stub.known().documents.insert(service.to_owned(), documents);
    }
    stub
}

#[tokio::test]
async fn every_service_is_replayed_part_by_part() {
    let stub = with_services().await;
    let report = stub.warren(&["replay", "--json"]).await.expect(0).json();
    let all = |count: u64| json!({ "documents": count, "confirmed": count, "failed": 0, "unreadable": 0 });
    assert_eq!(report, json!({ "owners": all(0), "products": all(2), "orders": all(3), "payments": all(5) }));
    let part = |service: &str, after: Option<u128>| (service.to_owned(), after.map(Uuid::from_u128));
    let parts = [
        part("owners", None),
        part("products", None),
        part("orders", None),
        part("orders", Some(2)),
        part("payments", None),
        part("payments", Some(2)),
        part("payments", Some(4)),
    ];
    assert_eq!(stub.known().replayed, parts);
}

#[tokio::test]
async fn one_service_is_replayed_at_the_address_that_is_told() {
    let stub = with_services().await;
    let address = stub.known().instances["payments"];
    stub.known().instances.clear();
    let told = format!("--service-urls=payments=http://{address}");
    let run = stub.warren(&["replay", "payments", &told]).await.expect(0);
    assert_eq!(run.out, "payments: 5 of 5 sent again\n");
    assert_eq!(stub.known().replayed.len(), 3);
}

#[tokio::test]
async fn what_was_not_sent_shows_in_the_exit_code() {
    let stub = with_services().await;
    stub.known().unreadable = 1;
    let run = stub.warren(&["replay", "products"]).await.expect(5);
    assert!(run.out.contains("1 of 2 sent again") && run.out.contains("1 could not be read"), "{}", run.out);
    stub.known().unreadable = 0;

    stub.known().instances.remove("orders");
    let run = stub.warren(&["replay"]).await.expect(5);
    assert!(run.err.contains("--service-urls orders=") && run.out.contains("payments: 5 of 5"), "{run:?}");
    stub.warren(&["replay", "orders"]).await.expect(3);
}

#[tokio::test]
async fn only_an_admin_has_states_sent_again_and_nobody_is_registered_for_it() {
    let stub = with_services().await;
    stub.known().users.insert("ada@example.org".to_owned(), "correct horse battery".to_owned());
    let ada = ["replay", "owners", "--email=ada@example.org", "--password=correct horse battery"];
    let run = stub.warren(&ada).await.expect(4);
    assert!(run.err.contains("only an admin"), "{}", run.err);
    let eve = ["replay", "owners", "--email=eve@example.org", "--password=correct horse battery"];
    stub.warren(&eve).await.expect(4);
    assert!(!stub.known().users.contains_key("eve@example.org"));
}
