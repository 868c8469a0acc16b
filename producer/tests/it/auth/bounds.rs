//! Logins cost the same whoever asks, and a bounded amount however many ask.

use bytes::Bytes;
use futures_util::future::join_all;
use serde_json::json;

use super::{PASSWORD, credentials};
use crate::shipped::Shipped;
use crate::support::{Ask, World, user};

const HASHED: &str = "producer_passwords_hashed_total";

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_logins_at_once_are_all_answered_in_bounded_memory() {
    let world = World::new().await;
    let shipped = Shipped::start_with(&world, &[("HASHING_THREADS", "2")]).await;
    shipped.post("/users", &user("ada@example.org")).answer().await.expect(202);
    let logins = (0..500).map(|_| shipped.post("/auth/login", &credentials("ada@example.org")).answer());
    let answers = join_all(logins).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!(count(200) + count(503), 500);
    // 128 wait, and few are hashed before the last has come.
    assert!(count(503) > 100 && count(200) >= 100, "{} were refused", count(503));
    let refused = answers.iter().find(|answer| answer.status == 503).unwrap();
    assert_eq!(refused.header("retry-after"), "2");
    // All at once they would take 9.5 GiB; two take 38 MiB.
    let peak = shipped.peak_memory_kib() / 1024;
    assert!(peak < 256, "{peak} MiB");
}

#[tokio::test]
async fn an_unknown_user_costs_as_much_as_a_wrong_password_and_a_long_one_costs_nothing() {
    let world = World::new().await;
    let shipped = Shipped::start(&world).await;
    shipped.post("/users", &user("ada@example.org")).answer().await.expect(202);
    let mut hashed = shipped.counter(HASHED).await;
    assert_eq!(hashed, 1);
    for (email, password, status, cost) in [
        ("ada@example.org", PASSWORD.to_owned(), 200, 1),
        ("ada@example.org", "wrong horse".to_owned(), 401, 1),
        ("eva@example.org", "wrong horse".to_owned(), 401, 1),
        ("ada@example.org", "x".repeat(129), 422, 0),
        ("eva@example.org", "x".repeat(900 * 1024), 422, 0),
        ("eva@example.org", "x".repeat(1024 * 1024), 413, 0),
    ] {
        let body = Bytes::from(json!({ "email": email, "password": password }).to_string());
        let login = shipped.post("/auth/login", &json!({})).body(body).answer().await;
        assert_eq!(login.status, status, "{}", login.body);
        let now = shipped.counter(HASHED).await;
        assert_eq!(now - hashed, cost, "{email}, {} characters", password.len());
        hashed = now;
    }
}
