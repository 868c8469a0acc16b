//! Which requests go to which service, and which of them need a token: the whole table.

use http::Method;

/// Requests whose paths begin alike, and what becomes of them.
#[derive(Debug)]
pub(crate) struct Family {
    /// How their paths begin.
    pub(crate) public: &'static str,
    /// The service they go to.
    pub(crate) service: &'static str,
    /// What takes the place of `public` in the path that the service gets.
    pub(crate) upstream: &'static str,
    /// Which of them need an access token.
    pub(crate) token: Token,
    /// Reads that another service answers in place of `service`.
    pub(crate) reads_elsewhere: Option<(Read, &'static str)>,
}

/// Some of the reads of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// `{public}/{one}`
    One,
    /// `{public}/{one}/{this}`
    PartOfOne(&'static str),
}

/// Which requests need an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// None of them; one that is sent is for the service to look at.
    Never,
    /// Those that change something. One that is sent with others must be valid all the same.
    ToWrite,
    /// All of them.
    Always,
}

pub(crate) const PRODUCER: &str = "producer";
pub(crate) const CONSUMER: &str = "consumer";
pub(crate) const ORDERS: &str = "orders";

pub(crate) static FAMILIES: [Family; 11] = [
    family("/auth", PRODUCER, "/auth", Token::Never),
    Family {
        reads_elsewhere: Some((Read::PartOfOne("everywhere"), CONSUMER)),
        ..family("/api/users", PRODUCER, "/users", Token::Always)
    },
    Family {
        reads_elsewhere: Some((Read::One, CONSUMER)),
        ..family("/api/records", PRODUCER, "/records", Token::Always)
    },
    family("/api/tasks", PRODUCER, "/tasks", Token::Always),
    family("/api/owners", "owners", "/v1/owners", Token::ToWrite),
    family("/api/products", "products", "/v1/products", Token::ToWrite),
    family("/api/orders", ORDERS, "/v1/orders", Token::Always),
    family("/api/search", CONSUMER, "/search", Token::ToWrite),
    family("/api/admin/dead-letters", CONSUMER, "/admin/dead-letters", Token::Always),
    family("/api/admin/audit", CONSUMER, "/admin/audit", Token::Always),
    family("/api/admin/reindex", CONSUMER, "/admin/reindex", Token::Always),
];

const fn family(public: &'static str, service: &'static str, upstream: &'static str, token: Token) -> Family {
    Family { public, service, upstream, token, reads_elsewhere: None }
}

impl Family {
    /// The service for a request; `rest` is its path after `public`.
    pub(crate) fn service(&self, method: &Method, rest: &str) -> &'static str {
        match self.reads_elsewhere {
            Some((read, service)) if is_read(method) && read.is_meant_by(rest) => service,
            _ => self.service,
        }
    }

    /// Whether the service answers any of them.
    pub(crate) fn is_served_by(&self, service: &str) -> bool {
        self.service == service || self.reads_elsewhere.is_some_and(|(_, elsewhere)| elsewhere == service)
    }
}

impl Read {
    fn is_meant_by(self, rest: &str) -> bool {
        let Some((one, part)) = rest.strip_prefix('/').map(|rest| rest.split_once('/').unwrap_or((rest, ""))) else {
            return false;
        };
        !one.is_empty()
            && match self {
                Self::One => part.is_empty() && !rest.ends_with('/'),
                Self::PartOfOne(this) => part == this,
            }
    }
}

impl Token {
    pub(crate) fn is_needed(self, method: &Method) -> bool {
        match self {
            Self::Never => false,
            Self::ToWrite => !is_read(method),
            Self::Always => true,
        }
    }
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn family_of(public: &str) -> &'static Family {
        FAMILIES.iter().find(|family| family.public == public).unwrap()
    }

    #[test]
    fn one_record_is_read_from_the_consumer_and_all_else_goes_to_the_producer() {
        let records = family_of("/api/records");
        for (method, rest, service) in [
            (Method::GET, "/A-1", "consumer"),
            (Method::HEAD, "/A-1", "consumer"),
            (Method::GET, "", "producer"),
            (Method::GET, "/", "producer"),
            (Method::GET, "/A-1/more", "producer"),
            (Method::PUT, "/A-1", "producer"),
            (Method::DELETE, "/A-1", "producer"),
            (Method::POST, "", "producer"),
        ] {
            assert_eq!(records.service(&method, rest), service, "{method} {rest}");
        }
    }

    #[test]
    fn what_all_stores_hold_of_a_user_is_read_from_the_consumer() {
        let users = family_of("/api/users");
        for (method, rest, service) in [
            (Method::GET, "/1/everywhere", "consumer"),
            (Method::GET, "/1", "producer"),
            (Method::GET, "//everywhere", "producer"),
            (Method::GET, "/1/everywhere/", "producer"),
            (Method::GET, "/1/elsewhere", "producer"),
            (Method::PUT, "/1/everywhere", "producer"),
        ] {
            assert_eq!(users.service(&method, rest), service, "{method} {rest}");
        }
    }

    #[test]
    fn only_reading_the_shop_and_searching_and_getting_a_token_needs_none() {
        for family in &FAMILIES {
            let open_to_read = ["/auth", "/api/owners", "/api/products", "/api/search"].contains(&family.public);
            for method in [Method::GET, Method::HEAD] {
                assert_eq!(family.token.is_needed(&method), !open_to_read, "{method} {}", family.public);
            }
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS, Method::TRACE] {
                assert_eq!(family.token.is_needed(&method), family.public != "/auth", "{method} {}", family.public);
            }
        }
    }

    #[test]
    fn no_family_hides_another() {
        for one in &FAMILIES {
            for other in &FAMILIES {
                let within = other.public.starts_with(&format!("{}/", one.public));
                assert!(!within, "{} hides {}", one.public, other.public);
            }
        }
    }
}
