//! Who may change what the registry says: whoever has the token.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use secrecy::{ExposeSecret, SecretString};
use service::ApiError;
use subtle::ConstantTimeEq;

use crate::App;

/// Its name in the API's description.
pub(crate) const SCHEME: &str = "registry_token";

/// What whoever registers must show.
#[derive(Clone, Debug)]
pub(crate) struct Token(SecretString);

/// A request that showed it. Asked for before the body is read.
#[derive(Debug)]
pub(crate) struct Authorized;

#[derive(Debug, PartialEq, Eq)]
enum Refused {
    Absent,
    Wrong,
}

impl Token {
    pub(crate) fn new(token: SecretString) -> Self {
        Self(token)
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), Refused> {
        let shown = bearer(headers).ok_or(Refused::Absent)?;
        // How long it takes does not tell how much of it was right.
        let right: bool = shown.as_bytes().ct_eq(self.0.expose_secret().as_bytes()).into();
        right.then_some(()).ok_or(Refused::Wrong)
    }
}

/// The token of `Authorization: Bearer`, if there is one such header and no other.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl FromRequestParts<App> for Authorized {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        app.token.check(&parts.headers).map(|()| Self).map_err(|refused| match refused {
            Refused::Absent => ApiError::unauthorized("this needs REGISTRY_TOKEN as a bearer token", "Bearer"),
            Refused::Wrong => ApiError::forbidden("this is not the registry's token"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[&str]) -> Result<(), Refused> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        Token::new("the-token".into()).check(&headers)
    }

    #[test]
    fn only_the_token_itself_is_right() {
        assert_eq!(check(&["Bearer the-token"]), Ok(()));
        assert_eq!(check(&["bearer the-token"]), Ok(()));
        for wrong in ["Bearer the-toke", "Bearer the-token2", "Bearer THE-TOKEN", "Bearer x"] {
            assert_eq!(check(&[wrong]), Err(Refused::Wrong), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_single_bearer_token_is_none() {
        for absent in
            [&[][..], &["Basic the-token"], &["Bearer"], &["the-token"], &["Bearer the-token", "Bearer the-token"]]
        {
            assert_eq!(check(absent), Err(Refused::Absent), "{absent:?}");
        }
    }
}
