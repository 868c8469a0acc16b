//! Users with tokens, for the tests of programs that run with the example secret.

use std::time::Duration;

use clap::Parser;
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::auth::{AuthArgs, Issuer, Role};

/// Longer than a test runs.
const LIFETIME: Duration = Duration::from_secs(900);

/// A user with a token, as whom a test asks.
#[derive(Clone, Debug)]
pub struct User {
    /// The user.
    pub id: Uuid,
    /// The session that the token belongs to.
    pub session: Uuid,
    /// The access token.
    pub token: String,
}

impl AsRef<str> for User {
    fn as_ref(&self) -> &str {
        &self.token
    }
}

/// Another user, who may do what all users may.
pub fn user() -> User {
    with(&[Role::User])
}

/// Another user, who is an admin.
pub fn admin() -> User {
    with(&[Role::User, Role::Admin])
}

fn with(roles: &[Role]) -> User {
    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        auth: AuthArgs,
    }
    let (id, session) = (Uuid::now_v7(), Uuid::now_v7());
    let issuer = Issuer::new(&Only::parse_from(["test"]).auth).expect("the example secret will do in development");
    let issued = issuer.issue(id, session, &roles.iter().copied().collect(), LIFETIME);
    let token = issued.expect("plain data can be signed").token.expose_secret().to_owned();
    User { id, session, token }
}
