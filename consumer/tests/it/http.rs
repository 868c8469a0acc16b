//! The read side's conventions: problems, health, the stores it has.

use serde_json::{Value, json};
use uuid::Uuid;

use super::support::Servers;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_not_right_is_answered_as_a_problem() {
    let site = Servers::new().await.start(&[]).await;
    for (path, status, field) in [
        (format!("/users/{}", Uuid::now_v7()), 404, None),
        ("/users/nobody".to_owned(), 404, None),
        ("/records/S1".to_owned(), 404, None),
        ("/nowhere".to_owned(), 404, None),
        ("/users?limit=0".to_owned(), 422, Some("limit")),
        ("/users?limit=1001".to_owned(), 422, Some("limit")),
        ("/messages?limit=many".to_owned(), 422, Some("limit")),
    ] {
        let response = site.get(&path).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["status"], json!(status), "{path}");
        assert_eq!(problem["errors"][0]["field"].as_str(), field, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_names_each_store_and_each_role() {
    let site = Servers::new().await.start(&[]).await;
    for path in ["/", "/health"] {
        let (status, health) = site.json(path).await;
        assert_eq!((status, &health["status"]), (200, &json!("up")), "{health}");
        let names: Vec<_> = health["dependencies"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "delete_record",
                "health_check",
                "insert_record",
                "mongodb",
                "mysql",
                "product_search",
                "rabbitmq",
                "read_database",
                "redis",
                "tasks",
                "user_preferences",
                "user_search",
                "user_sessions",
                "user_tasks",
                "welcome_messages",
            ]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_of_records_needs_no_other_store_and_says_so() {
    let nowhere = Servers::new()
        .await
        .with("--mongodb-url", "mongodb://127.0.0.1:1/?directConnection=true")
        .with("--redis-url", "redis://127.0.0.1:1");
    let site = nowhere.start(&["insert_record", "delete_record", "read_database", "health_check"]).await;
    assert_eq!(site.json("/health").await.0, 200);
    for path in ["/users".to_owned(), format!("/users/{}", Uuid::now_v7()), "/messages".to_owned()] {
        let (status, problem) = site.json(&path).await;
        assert_eq!(status, 503, "{path}");
        assert!(problem["detail"].as_str().unwrap().contains("MongoDB"), "{problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_routes_are_described() {
    let site = Servers::new().await.start(&["health_check"]).await;
    let (_, mut document) = site.json("/api-docs/openapi.json").await;
    document["info"]["version"] = json!("[version]");
    insta::assert_json_snapshot!("openapi", document);
    assert_eq!(site.get("/api-docs/").await.status(), 200);
}
