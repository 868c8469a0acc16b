//! Keeps credentials out of what is logged and answered: those in URLs, and tokens.

use std::borrow::Cow;

/// Replaces the `user:password` of every URL in a text by `***`.
pub(crate) fn redact(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        safe.push_str(before);
        // A password that was not percent-encoded may hold `/`, `?` or `@`: all up to the last `@` is hidden.
        let end = after.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>')).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(credentials) => {
                safe.push_str("***");
                &after[credentials..]
            }
            None => after,
        };
    }
    safe + rest
}

/// Shorter ones are names, UUIDs and digests; a token of 32 random bytes has 43 characters.
const TOKEN_LENGTH: usize = 40;

/// Replaces what looks like a token by `***`: what follows `Bearer`, and long runs of mixed letters and digits, as JWTs and
/// refresh tokens are, wherever a client has put them.
pub(crate) fn hide_tokens(text: &str) -> Cow<'_, str> {
    if text.len() < BEARER.len() {
        return text.into();
    }
    let mut safe = String::new();
    let (mut copied, mut at) = (0, 0);
    while at < text.len() {
        let run = text[at..].bytes().take_while(|&c| is_of_token(c)).count();
        let is_named = text[..at].len() >= BEARER.len()
            && text.as_bytes()[at - BEARER.len()..at].eq_ignore_ascii_case(BEARER.as_bytes());
        if run > 0 && (is_named || is_token(&text.as_bytes()[at..at + run])) {
            safe.push_str(&text[copied..at]);
            safe.push_str("***");
            copied = at + run;
        }
        at += run;
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
    if copied == 0 {
        return text.into();
    }
    safe.push_str(&text[copied..]);
    safe.into()
}

const BEARER: &str = "bearer ";

fn is_of_token(c: u8) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.')
}

fn is_token(run: &[u8]) -> bool {
    run.len() >= TOKEN_LENGTH
        && run.iter().any(u8::is_ascii_lowercase)
        && run.iter().any(u8::is_ascii_uppercase)
        && run.iter().any(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::{hide_tokens, redact};

    const REFRESH: &str = "q83vEjRWeJq83vEjRWeJq83vEjRWeJq83vEjRWeJq80";
    const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMTkzIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    #[test]
    fn tokens_are_hidden_wherever_they_are() {
        for (text, safe) in [
            (REFRESH.to_owned(), "***".to_owned()),
            (format!("/auth/{REFRESH}?t={JWT}&u=é"), "/auth/***?t=***&u=é".to_owned()),
            (format!("Authorization: Bearer {JWT}\r\n"), "Authorization: Bearer ***\r\n".to_owned()),
            ("é bearer short, BEARER x".to_owned(), "é bearer ***, BEARER ***".to_owned()),
        ] {
            assert_eq!(hide_tokens(&text), safe);
        }
    }

    #[test]
    fn names_ids_and_digests_are_no_tokens() {
        for text in [
            "",
            "bearer",
            "answered",
            "0193a5c2-7c1e-7d2b-9f3a-6b8d2e4c1f00",
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "/api/users/0193a5c2-7c1e-7d2b-9f3a-6b8d2e4c1f00/orders?limit=*",
            "service::telemetry::line::tests::JsonGivesBackExactlyWhatWasLogged",
        ] {
            assert_eq!(hide_tokens(text), text);
        }
    }

    #[test]
    fn credentials_are_hidden_and_the_rest_is_kept() {
        for (text, safe) in [
            ("nothing to hide", "nothing to hide"),
            ("at http://host/path", "at http://host/path"),
            ("amqp://me:pass@host:5672/v refused", "amqp://***@host:5672/v refused"),
            ("'mysql://me:p@ss/w@host/db'", "'mysql://***@host/db'"),
            ("redis://:pw@a:1 then mongodb://u:p@b", "redis://***@a:1 then mongodb://***@b"),
            ("unfinished ://", "unfinished ://"),
        ] {
            assert_eq!(redact(text), safe);
        }
    }
}
