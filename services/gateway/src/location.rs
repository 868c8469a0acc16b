//! Where an answer points to. A service names its own paths; clients know them by those of the gateway.

use http::header::{CONTENT_LOCATION, LOCATION};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue};

use crate::routes::FAMILIES;

/// Makes what a service's answer points to a path of the gateway, if the way there leads through it.
pub(crate) fn rewrite(headers: &mut HeaderMap, service: &str, at: &Authority) {
    for name in [LOCATION, CONTENT_LOCATION] {
        if let Some(value) = headers.get_mut(name)
            && let Some(public) = value.to_str().ok().and_then(|place| public(place, service, at))
            && let Ok(public) = HeaderValue::try_from(public)
        {
            *value = public;
        }
    }
}

/// The table of routes, read from the service's side. A path that is relative needs nothing: what follows the beginning of a
/// family is the same on both sides.
fn public(place: &str, service: &str, at: &Authority) -> Option<String> {
    let path = path_at(place, at)?;
    FAMILIES.iter().filter(|family| family.is_served_by(service)).find_map(|family| {
        let rest = path.strip_prefix(family.upstream)?;
        let is_whole = rest.is_empty() || rest.starts_with(['/', '?', '#']);
        is_whole.then(|| format!("{}{rest}", family.public))
    })
}

/// The path of a place, if it is one of the service itself.
fn path_at<'a>(place: &'a str, at: &Authority) -> Option<&'a str> {
    if place.starts_with('/') {
        return Some(place);
    }
    let (scheme, rest) = place.split_once("://")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    (scheme.eq_ignore_ascii_case("http") && authority.eq_ignore_ascii_case(at.as_str())).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(place: &str, service: &str) -> String {
        public(place, service, &Authority::from_static("10.0.0.7:8081")).unwrap_or_else(|| place.to_owned())
    }

    #[test]
    fn a_services_path_becomes_the_gateways() {
        for (place, service, expected) in [
            ("/tasks/7", "producer", "/api/tasks/7"),
            ("/tasks", "producer", "/api/tasks"),
            ("/users?after=/tasks/1#top", "producer", "/api/users?after=/tasks/1#top"),
            ("/users?next=http://elsewhere/", "producer", "/api/users?next=http://elsewhere/"),
            ("/auth/me", "producer", "/auth/me"),
            ("/records/A%2D1", "consumer", "/api/records/A%2D1"),
            ("/v1/orders/7/events", "orders", "/api/orders/7/events"),
            ("http://10.0.0.7:8081/tasks/7", "producer", "/api/tasks/7"),
            ("HTTP://10.0.0.7:8081/users", "producer", "/api/users"),
        ] {
            assert_eq!(seen(place, service), expected);
        }
    }

    #[test]
    fn whatever_leads_elsewhere_stays_as_it_is() {
        for (place, service) in [
            ("/tasksx/7", "producer"),
            ("/metrics", "producer"),
            ("/tasks/7", "consumer"),
            ("/tasks/7", "orders"),
            ("tasks/7", "producer"),
            ("../tasks/7", "producer"),
            ("?after=7", "producer"),
            ("//tasks/7", "producer"),
            ("//10.0.0.7:8081/tasks/7", "producer"),
            ("http://10.0.0.7/tasks/7", "producer"),
            ("http://10.0.0.7:8081", "producer"),
            ("http://10.0.0.7:8081@elsewhere/tasks/7", "producer"),
            ("https://10.0.0.7:8081/tasks/7", "producer"),
            ("https://shop.example/tasks/7", "producer"),
            ("/login?to=http://10.0.0.7:8081/tasks/7", "producer"),
            ("", "producer"),
        ] {
            assert_eq!(seen(place, service), place);
        }
    }
}
