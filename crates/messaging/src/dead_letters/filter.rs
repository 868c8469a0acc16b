//! Which dead letters are meant.

use std::time::Duration;

use time::OffsetDateTime;

use super::DeadLetter;

/// Which dead letters are meant: those to which all that is set applies. By default it is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// With this message id.
    pub message_id: Option<String>,
    /// Of this type.
    pub kind: Option<String>,
    /// Whose reason contains this, in capitals or not.
    pub reason: Option<String>,
    /// That were parked longer ago than this. When that was is told by the clock of whoever parked it.
    pub older_than: Option<Duration>,
}

impl Filter {
    /// Whether a message is meant.
    pub fn matches(&self, letter: &DeadLetter, now: OffsetDateTime) -> bool {
        let Self { message_id, kind, reason, older_than } = self;
        let is = |wanted: &Option<String>, there: &Option<String>| wanted.is_none() || wanted == there;
        is(message_id, &letter.message_id)
            && is(kind, &letter.kind)
            && reason.as_deref().is_none_or(|part| contains(letter.reason.as_deref().unwrap_or_default(), part))
            && older_than.is_none_or(|age| letter.parked_at.is_some_and(|at| now - at > age))
    }
}

fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> DeadLetter {
        DeadLetter {
            message_id: Some("m-1".to_owned()),
            kind: Some("item.added".to_owned()),
            reason: Some("No such Table `items`".to_owned()),
            parked_at: Some(OffsetDateTime::UNIX_EPOCH),
            ..DeadLetter::default()
        }
    }

    #[test]
    fn all_that_is_set_must_apply() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(60);
        let some = |text: &str| Some(text.to_owned());
        let matches = |filter: Filter| filter.matches(&letter(), now);
        assert!(matches(Filter::default()));
        assert!(matches(Filter { message_id: some("m-1"), kind: some("item.added"), ..Filter::default() }));
        assert!(!matches(Filter { message_id: some("m-1"), kind: some("item.gone"), ..Filter::default() }));
        assert!(!matches(Filter { message_id: some("m"), ..Filter::default() }));
        assert!(matches(Filter { reason: some("no SUCH table"), ..Filter::default() }));
        assert!(!matches(Filter { reason: some("no such column"), ..Filter::default() }));
        assert!(matches(Filter { older_than: Some(Duration::from_secs(59)), ..Filter::default() }));
        assert!(!matches(Filter { older_than: Some(Duration::from_secs(61)), ..Filter::default() }));
    }

    #[test]
    fn what_a_message_does_not_say_is_not_what_was_asked_for() {
        let silent = DeadLetter::default();
        let now = OffsetDateTime::UNIX_EPOCH;
        let filters = [
            Filter { message_id: Some(String::new()), ..Filter::default() },
            Filter { kind: Some("item.added".to_owned()), ..Filter::default() },
            Filter { reason: Some("x".to_owned()), ..Filter::default() },
            Filter { older_than: Some(Duration::ZERO), ..Filter::default() },
        ];
        assert!(filters.iter().all(|filter| !filter.matches(&silent, now)));
        assert!(Filter::default().matches(&silent, now));
    }
}
