//! What production refuses and development does not.

use reqwest::RequestBuilder;

use super::{User, credentials};
use crate::shipped::Shipped;
use crate::support::{Ask, World, user};

#[tokio::test]
async fn production_refuses_the_example_secrets() {
    let world = World::new().await;
    let shipped = Shipped::launch(&world, &[("ENVIRONMENT", "production")]).await;
    assert_eq!(shipped.program.exit_code().await, 1);
    let logs = shipped.program.logs();
    assert!(logs.contains("JWT_SECRET is the example that everybody knows"), "{logs}");
    let short = Shipped::launch(&world, &[("JWT_SECRET", "too short")]).await;
    assert_eq!(short.program.exit_code().await, 1);
    assert!(short.program.logs().contains("32 bytes"), "{}", short.program.logs());
    let everybodys = [
        ("ENVIRONMENT", "production"),
        ("JWT_SECRET", "a secret of production, long enough"),
        ("ADMIN_EMAIL", "admin@example.org"),
        ("ADMIN_PASSWORD", "warren-admin-password"),
    ];
    let everybodys = Shipped::launch(&world, &everybodys).await;
    assert_eq!(everybodys.program.exit_code().await, 1);
    let logs = everybodys.program.logs();
    assert!(logs.contains("ADMIN_PASSWORD is the example that everybody knows"), "{logs}");
}

#[tokio::test]
async fn production_wants_a_token_but_where_one_is_to_be_had() {
    let world = World::new().await;
    let strict = ["--environment=production", "--jwt-secret=a secret of production, long enough"];
    let producer = world.producer_with(&strict).await;
    let refused: [RequestBuilder; 6] = [
        producer.get("/"),
        producer.insert("A1"),
        producer.get("/users"),
        producer.create_user("ada@example.org"),
        producer.get("/tasks"),
        producer.get("/auth/me"),
    ];
    for request in refused {
        let refused = request.answer().await.expect(401);
        assert_eq!(refused.header("www-authenticate"), "Bearer");
    }
    insta::assert_json_snapshot!("no_token", producer.get("/users").answer().await.problem());
    for path in ["/health", "/live", "/ready", "/status", "/metrics", "/api-docs/openapi.json"] {
        producer.get(path).answer().await.expect(200);
    }
    producer.post("/auth/register", &user("ada@example.org")).answer().await.expect(202);
    let ada = User::of(&producer.post("/auth/login", &credentials("ada@example.org")).answer().await.expect(200));
    let ada = User::of(&producer.refresh(&ada.refresh).await.expect(200));
    producer.insert("A1").bearer_auth(&ada.access).answer().await.expect(202);
    producer.get("/users").bearer_auth(&ada.access).answer().await.expect(403);
    // Somebody who only knows the example.
    let development = world.producer().await;
    let forged = development.log_in("ada@example.org").await;
    producer.get("/auth/me").bearer_auth(&forged.access).answer().await.expect(401);
}
