//! Keeps the credentials in URLs out of what is logged and answered.

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

#[cfg(test)]
mod tests {
    use super::redact;

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
