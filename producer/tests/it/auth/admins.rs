//! The first admin.

use super::{PASSWORD, credentials};
use crate::shipped::Shipped;
use crate::support::{Ask, World};

const EMAIL: &str = "root@example.org";

#[tokio::test]
async fn several_producers_make_one_admin_and_others_hear_of_it() {
    let world = World::new().await;
    let admin = [("ADMIN_EMAIL", EMAIL), ("ADMIN_PASSWORD", PASSWORD)];
    let (one, other) = tokio::join!(Shipped::start_with(&world, &admin), Shipped::start_with(&world, &admin));
    for producer in [&one, &other] {
        let answered = producer.post("/auth/login", &credentials(EMAIL)).answer().await.expect(200);
        assert_eq!(answered.json()["user"]["roles"], serde_json::json!(["admin", "user"]));
        assert!(!producer.program.logs().contains(PASSWORD), "{}", producer.program.logs());
    }
    assert_eq!(world.count("SELECT count(*) FROM users").await, 1);
    assert_eq!(world.take("user_tasks", 1).await[0].routing_key, "user.created");
}

#[tokio::test]
async fn a_user_who_is_there_becomes_the_admin_by_the_password_only() {
    let world = World::new().await;
    world.producer().await.create_user("ROOT@example.org").answer().await.expect(202);
    let stranger = Shipped::launch(&world, &[("ADMIN_EMAIL", EMAIL), ("ADMIN_PASSWORD", "wrong horse")]).await;
    assert_eq!(stranger.program.exit_code().await, 1);
    let logs = stranger.program.logs();
    assert!(logs.contains("ADMIN_EMAIL is the address of a user whose password is not ADMIN_PASSWORD"), "{logs}");
    assert_eq!(world.count("SELECT count(*) FROM users WHERE 'admin' = ANY(roles)").await, 0);

    let (_producer, admin) = world.producer_and_admin().await;
    assert_eq!(world.count("SELECT count(*) FROM users WHERE roles = '{user,admin}'").await, 1);
    assert!(!admin.access.is_empty());
    let half = Shipped::launch(&world, &[("ADMIN_EMAIL", EMAIL)]).await;
    assert_eq!(half.program.exit_code().await, 1);
    assert!(half.program.logs().contains("set together"), "{}", half.program.logs());
    let weak = Shipped::launch(&world, &[("ADMIN_EMAIL", "a@example.org"), ("ADMIN_PASSWORD", "short")]).await;
    assert_eq!(weak.program.exit_code().await, 1);
    assert!(weak.program.logs().contains("8 to 128 characters"), "{}", weak.program.logs());
}
