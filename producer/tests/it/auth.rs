//! Identity: logging in and out, tokens, and what users may do.

mod admins;
mod bounds;
mod outages;
mod production;
mod rights;
mod secrecy;
mod sessions;
mod tokens;

use serde_json::{Value, json};

use crate::support::{Answered, Ask, Producer, World};

pub(crate) const PASSWORD: &str = "correct horse";

/// A user who is logged in.
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl User {
    /// From what a login or a refresh answered.
    #[track_caller]
    pub(crate) fn of(answered: &Answered) -> Self {
        let answer = answered.json();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Self {
            id: text(&answer["user"]["user_id"]),
            access: text(&answer["access_token"]),
            refresh: text(&answer["refresh_token"]),
        }
    }
}

pub(crate) fn credentials(email: &str) -> Value {
    json!({ "email": email, "password": PASSWORD })
}

impl Producer {
    /// Logs a user in.
    pub(crate) async fn log_in(&self, email: &str) -> User {
        User::of(&self.post("/auth/login", &credentials(email)).answer().await.expect(200))
    }

    /// Creates a user and logs the user in.
    pub(crate) async fn new_user(&self, email: &str) -> User {
        self.create_user(email).answer().await.expect(202);
        self.log_in(email).await
    }

    /// Uses a refresh token.
    pub(crate) async fn refresh(&self, token: &str) -> Answered {
        self.post("/auth/refresh", &json!({ "refresh_token": token })).answer().await
    }

    /// Waits until a token is refused.
    pub(crate) async fn refuses(&self, access: &str) {
        testkit::eventually("the token is refused", async || {
            (self.get("/records?limit=0").bearer_auth(access).answer().await.status == 401).then_some(())
        })
        .await;
    }
}

impl World {
    /// A producer with an admin, who is logged in.
    pub(crate) async fn producer_and_admin(&self) -> (Producer, User) {
        let admin = ["--admin-email=root@example.org", "--admin-password", PASSWORD];
        let producer = self.producer_with(&admin).await;
        let admin = testkit::eventually("the admin is there", async || {
            let answered = producer.post("/auth/login", &credentials("root@example.org")).answer().await;
            (answered.status == 200).then_some(answered)
        })
        .await;
        (producer, User::of(&admin))
    }

    /// The newest session of a user, as Redis has it.
    pub(crate) async fn user_session(&self, user: &str) -> Value {
        let key = format!("user_session:{user}");
        let session: String =
            redis::AsyncCommands::get(&mut self.redis.connection().await, key).await.expect("is there");
        serde_json::from_str(&session).expect("a session is JSON")
    }
}
