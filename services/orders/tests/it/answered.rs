//! Requests, answers, and those who ask.

use std::time::Duration;

use clap::Parser;
use reqwest::Client;
use secrecy::ExposeSecret;
use service::auth::{AuthArgs, Issuer, Role};
use uuid::Uuid;

pub(crate) use testkit::Ask;

/// Longer than anything that is waited for takes.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);

/// A user with a token.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) id: Uuid,
    pub(crate) token: String,
}

impl AsRef<str> for User {
    fn as_ref(&self) -> &str {
        &self.token
    }
}

pub(crate) fn user() -> User {
    user_with(&[Role::User])
}

pub(crate) fn admin() -> User {
    user_with(&[Role::User, Role::Admin])
}

fn user_with(roles: &[Role]) -> User {
    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        auth: AuthArgs,
    }
    let id = Uuid::now_v7();
    let issuer = Issuer::new(&Only::parse_from(["test"]).auth).expect("the example secret will do in development");
    let issued = issuer.issue(id, Uuid::now_v7(), &roles.iter().copied().collect(), Duration::from_secs(900));
    let token = issued.expect("a token can be issued").token.expose_secret().to_owned();
    User { id, token }
}

pub(crate) fn client() -> Client {
    Client::builder().no_proxy().timeout(LIMIT).build().expect("a plain client")
}
