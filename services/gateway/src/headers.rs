//! What is taken out of requests and answers on their way through, and what is put in.

use std::fmt::Write;

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use service::auth::Identity;

use crate::forwarded::Forwarded;
use crate::peer::Peer;

const USER_ID: HeaderName = HeaderName::from_static("x-user-id");
const USER_ROLES: HeaderName = HeaderName::from_static("x-user-roles");

/// Between two neighbours only (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("http2-settings"),
];

/// A client that names one of these in `Connection` wants it taken out between two who both need it: without its token a
/// request would be let in here as a user's and be served there as nobody's.
const NEVER_BY_NAME: [HeaderName; 3] = [AUTHORIZATION, HOST, CONTENT_LENGTH];

/// Makes a client's headers those of a request to a service.
pub(crate) fn request(headers: &mut HeaderMap, uri: &Uri, peer: &Peer, identity: Option<&Identity>) {
    let forwarded = Forwarded::of(headers, uri, peer);
    without_hop_by_hop(headers);
    // The gateway has answered it itself.
    headers.remove(EXPECT);
    let doomed: Vec<HeaderName> = headers.keys().filter(|name| is_ours(name.as_str())).cloned().collect();
    for name in doomed {
        headers.remove(name);
    }
    headers.remove(HOST);
    if let Some(identity) = identity {
        headers.insert(USER_ID, user_id(identity));
        headers.insert(USER_ROLES, roles(identity));
    }
    forwarded.put(headers);
}

/// Makes a service's headers those of an answer to the client.
pub(crate) fn response(headers: &mut HeaderMap) {
    without_hop_by_hop(headers);
    // Said to services only.
    for name in [USER_ID, USER_ROLES] {
        headers.remove(name);
    }
}

/// Takes out what is meant for the next neighbour only, and what `Connection` adds to that.
fn without_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .filter(|name| !NEVER_BY_NAME.contains(name))
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Whether only the gateway may say what such a header says. Some servers take `_` for `-`, so both are one.
fn is_ours(name: &str) -> bool {
    const BEGINNINGS: [&str; 3] = ["x-user-", "x-auth-", "x-forwarded-"];
    const NAMES: [&str; 3] = ["x-service-name", "x-real-ip", "forwarded"];
    BEGINNINGS.iter().any(|beginning| name.len() >= beginning.len() && is_same(&name[..beginning.len()], beginning))
        || NAMES.iter().any(|known| is_same(name, known))
}

/// Header names are lower case by the time they are here, and ASCII.
fn is_same(name: &str, known: &str) -> bool {
    let dashed = name.bytes().map(|byte| if byte == b'_' { b'-' } else { byte });
    name.len() == known.len() && dashed.eq(known.bytes())
}

fn user_id(identity: &Identity) -> HeaderValue {
    let mut text = uuid::Uuid::encode_buffer();
    HeaderValue::from_str(identity.user_id.hyphenated().encode_lower(&mut text)).expect("a UUID is a header value")
}

/// A JSON array.
fn roles(identity: &Identity) -> HeaderValue {
    let mut text = String::with_capacity(24);
    for role in identity.roles.iter() {
        let _ = write!(text, "{}\"{}\"", if text.is_empty() { '[' } else { ',' }, role.as_str());
    }
    text.push_str(if text.is_empty() { "[]" } else { "]" });
    HeaderValue::try_from(text).expect("the names of roles are plain words")
}

#[cfg(test)]
mod tests {
    use service::auth::Role;
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static(value));
        }
        headers
    }

    fn peer() -> Peer {
        let address = "192.0.2.1".parse().unwrap();
        Peer { address, is_trusted: false, client: address }
    }

    fn sent(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = headers(lines);
        request(&mut headers, &"/api/users".parse().unwrap(), &peer(), None);
        headers
    }

    #[test]
    fn no_spelling_of_an_identity_gets_through() {
        let spellings = [
            ("X-User-ID", "evil"),
            ("x-user-id", "evil"),
            ("X_User_ID", "evil"),
            ("x-user_roles", "[\"admin\"]"),
            ("X-USER-ANYTHING", "evil"),
            ("X-Auth-User", "evil"),
            ("x_auth_token", "evil"),
            ("X-Service-Name", "producer"),
            ("x_service-name", "producer"),
            ("Forwarded", "for=evil"),
            ("X-Real-IP", "evil"),
            ("x-forwarded-user", "evil"),
        ];
        let left = sent(&spellings);
        let names: Vec<_> = left.keys().map(HeaderName::as_str).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert_eq!(
            (&left["x-forwarded-for"], &left["x-forwarded-proto"]),
            (&"192.0.2.1".parse().unwrap(), &"http".parse().unwrap())
        );
    }

    #[test]
    fn what_only_looks_alike_stays() {
        let kept = sent(&[("x-user", "1"), ("x-username", "2"), ("x-service-names", "3"), ("x-forwarded", "4")]);
        assert_eq!(kept.len(), 4 + 2);
    }

    #[test]
    fn an_identity_is_told_in_two_headers() {
        let identity = Identity {
            user_id: Uuid::nil(),
            session_id: Uuid::nil(),
            roles: [Role::User, Role::Admin].into_iter().collect(),
            expires_at: OffsetDateTime::UNIX_EPOCH,
        };
        let mut headers =
            headers(&[("x-user-id", "evil"), ("x-user-id", "worse"), ("connection", "x-user-id, X-User-Roles")]);
        request(&mut headers, &"/".parse().unwrap(), &peer(), Some(&identity));
        let ids: Vec<_> = headers.get_all("x-user-id").iter().collect();
        assert_eq!(ids, ["00000000-0000-0000-0000-000000000000"]);
        assert_eq!(headers["x-user-roles"], r#"["admin","user"]"#);
        assert!(!headers.contains_key("connection"));
        let nobody = Identity { roles: [].into_iter().collect(), ..identity };
        assert_eq!(roles(&nobody), "[]");
    }

    #[test]
    fn what_services_are_told_of_a_user_is_not_told_to_clients() {
        let mut answered = headers(&[("x-user-id", "1"), ("x-user-roles", "[]"), ("etag", "\"1\"")]);
        response(&mut answered);
        assert_eq!(answered, headers(&[("etag", "\"1\"")]));
    }

    #[test]
    fn what_is_for_the_next_neighbour_stays_there_and_the_token_does_not() {
        let left = sent(&[
            ("connection", "close, X-Private,,"),
            ("connection", "authorization, content-length, upgrade"),
            ("x-private", "1"),
            ("authorization", "Bearer t"),
            ("content-length", "3"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABkAAQAoAAAAAIAAAAA"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic x"),
            ("accept", "*/*"),
        ]);
        let mut names: Vec<_> = left.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "authorization", "content-length", "x-forwarded-for", "x-forwarded-proto"]);
    }
}
