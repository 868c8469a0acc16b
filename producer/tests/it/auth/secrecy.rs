//! Passwords and tokens appear nowhere but where they belong.

use serde_json::json;

use super::{PASSWORD, User, credentials};
use crate::shipped::Shipped;
use crate::support::{Ask, World, user};

#[tokio::test]
async fn no_password_and_no_token_is_ever_logged() {
    let world = World::new().await;
    let secret = "a secret of this test, long enough";
    let shipped = Shipped::start_with(&world, &[("RUST_LOG", "debug"), ("JWT_SECRET", secret)]).await;
    shipped.post("/auth/register", &user("ada@example.org")).answer().await.expect(202);
    let first = User::of(&shipped.post("/auth/login", &credentials("ada@example.org")).answer().await.expect(200));
    let wrong = json!({ "email": "ada@example.org", "password": "a password that is wrong" });
    let wrong = shipped.post("/auth/login", &wrong).answer().await.expect(401);
    let refresh = json!({ "refresh_token": first.refresh });
    let second = User::of(&shipped.post("/auth/refresh", &refresh).answer().await.expect(200));
    shipped.get("/auth/me").bearer_auth(&second.access).answer().await.expect(200);
    let refused = shipped.get("/auth/me").bearer_auth("a.token.of.somebody").answer().await.expect(401);
    let reused = shipped.post("/auth/refresh", &refresh).answer().await.expect(401);
    shipped.post("/auth/logout", &json!({})).bearer_auth(&second.access).answer().await.expect(204);
    let path = "/auth/login?password=in-the-query&access_token=in-the-query";
    shipped.post(path, &credentials("ada@example.org")).answer().await.expect(200);

    let logs = shipped.program.logs();
    assert!(logs.contains("a user has logged in") && logs.contains("a refresh token was used again"), "{logs}");
    for hidden in [
        PASSWORD,
        "a password that is wrong",
        secret,
        &first.access,
        &first.refresh,
        &second.access,
        &second.refresh,
        "a.token.of.somebody",
        "in-the-query",
        "$argon2id$",
    ] {
        assert!(!logs.contains(hidden), "{hidden} is in the log: {logs}");
    }
    for answer in [wrong, refused, reused] {
        for hidden in ["a password that is wrong", "a.token.of.somebody", first.refresh.as_str()] {
            assert!(!answer.body.contains(hidden), "{}", answer.body);
        }
    }
}

#[tokio::test]
async fn whose_session_ended_and_which_is_logged_once() {
    let world = World::new().await;
    let shipped = Shipped::start_with(&world, &[]).await;
    shipped.post("/auth/register", &user("ada@example.org")).answer().await.expect(202);
    let ada = User::of(&shipped.post("/auth/login", &credentials("ada@example.org")).answer().await.expect(200));
    for _ in 0..2 {
        shipped.post("/auth/logout", &json!({})).bearer_auth(&ada.access).answer().await.expect(204);
    }
    let ada = User::of(&shipped.post("/auth/login", &credentials("ada@example.org")).answer().await.expect(200));
    for status in [200, 401] {
        let refresh = json!({ "refresh_token": ada.refresh });
        shipped.post("/auth/refresh", &refresh).answer().await.expect(status);
    }

    let logs = shipped.program.logs();
    for event in ["a user has logged out", "a refresh token was used again"] {
        let lines: Vec<&str> = logs.lines().filter(|line| line.contains(event)).collect();
        let [line] = lines.as_slice() else { panic!("not one line: {logs}") };
        assert!(line.contains("user_id") && line.contains(&ada.id) && line.contains("session"), "{line}");
    }
}
