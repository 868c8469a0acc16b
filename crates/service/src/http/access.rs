//! What a program adds to the log line of a request.

use std::convert::Infallible;
use std::fmt::Display;
use std::fmt::Write;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use tracing::Span;
use url::form_urlencoded;

/// As much of a path as is logged, in characters.
const MAX_PATH: usize = 256;

/// Adds to the log line of a request, and to any other that is written while it is served.
///
/// What is not added is left out of the line.
#[derive(Clone, Debug)]
pub struct Access(pub(super) Span);

impl Access {
    /// Who sent the request.
    pub fn client(&self, address: IpAddr) {
        self.add("client", address);
    }

    /// Which instance answered.
    pub fn upstream(&self, instance: impl Display) {
        self.add("upstream", instance);
    }

    /// Whose token came with the request.
    pub fn user_id(&self, user: impl Display) {
        self.add("user_id", user);
    }

    /// Where the request went. Of its query only the names are logged: a value may be a secret.
    pub fn path(&self, uri: &Uri) {
        if !self.0.is_disabled() {
            self.add("path", path(uri));
        }
    }

    fn add(&self, field: &'static str, value: impl Display) {
        self.0.record(field, tracing::field::display(value));
    }
}

/// Put among an answer's extensions, says that it is one of very many that are alike, whose lines only hide the others: its
/// own is logged for debugging alone.
#[derive(Clone, Copy, Debug)]
pub struct Routine;

impl<S: Sync> FromRequestParts<S> for Access {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_else(|| Self(Span::none())))
    }
}

fn path(uri: &Uri) -> String {
    let mut path = uri.path().to_owned();
    for (index, (name, _)) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).enumerate() {
        if path.len() > MAX_PATH {
            break;
        }
        let separator = if index == 0 { '?' } else { '&' };
        let _ = write!(path, "{separator}{name}=*");
    }
    if let Some((end, _)) = path.char_indices().nth(MAX_PATH) {
        path.truncate(end);
        path.push('…');
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_query_only_the_names_are_logged() {
        let logged = |uri: &'static str| path(&Uri::from_static(uri));
        assert_eq!(logged("/api/users/7"), "/api/users/7");
        assert_eq!(logged("/api/users?limit=5&token=s%65cret"), "/api/users?limit=*&token=*");
        assert_eq!(logged("/api/users?secret"), "/api/users?secret=*");
    }

    #[test]
    fn a_long_path_is_cut() {
        for uri in [format!("/{}", "é".repeat(9_000)), format!("/?{}", "a=b&".repeat(9_000))] {
            let uri = Uri::try_from(uri.replace('é', "%C3%A9")).unwrap();
            assert_eq!(path(&uri).chars().count(), MAX_PATH + 1);
        }
    }
}
