//! What names and metadata may hold: they stand in paths, in the store's keys and in logs.

use contracts::registry::Instance;
use service::http::FieldError;
use service::{ApiError, ApiResult};

/// The most entries of metadata, and the most characters of a key and a value.
const METADATA: (usize, usize, usize) = (16, 128, 256);

/// The name of a service, otherwise 422.
pub(crate) fn service(name: &str) -> ApiResult<()> {
    refuse(service_error(name))
}

/// A service and the id of one of its instances.
pub(crate) fn reference(service: &str, id: &str) -> ApiResult<()> {
    refuse(service_error(service).into_iter().chain(id_error("instance_id", id)))
}

/// A service and an instance of it. Every field that is wrong is named at once.
pub(crate) fn instance(service: &str, instance: &Instance) -> ApiResult<()> {
    let port = (instance.port == 0).then(|| FieldError::new("instance.port", "must be from 1 to 65535"));
    let errors = service_error(service).into_iter().chain(id_error("instance.id", &instance.id)).chain(port);
    refuse(errors.chain(metadata_error(instance)))
}

fn refuse(errors: impl IntoIterator<Item = FieldError>) -> ApiResult<()> {
    let mut errors = errors.into_iter().peekable();
    if errors.peek().is_none() { Ok(()) } else { Err(ApiError::unprocessable(errors)) }
}

fn service_error(name: &str) -> Option<FieldError> {
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let right = (1..=64).contains(&name.len()) && name.bytes().all(known);
    (!right).then(|| FieldError::new("service", "must have 1 to 64 of a-z, 0-9, `.`, `_` and `-`"))
}

fn id_error(field: &str, id: &str) -> Option<FieldError> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let right = (1..=128).contains(&id.len()) && id.bytes().all(known);
    (!right).then(|| FieldError::new(field, "must have 1 to 128 letters, digits, `.`, `_` or `-`"))
}

fn metadata_error(instance: &Instance) -> Option<FieldError> {
    let (entries, key, value) = METADATA;
    let fits = |text: &str, most: usize| text.chars().count() <= most && !text.chars().any(char::is_control);
    let right = instance.metadata.len() <= entries
        && instance.metadata.iter().all(|(name, text)| !name.is_empty() && fits(name, key) && fits(text, value));
    let detail = format!(
        "must have at most {entries} entries, with keys of 1 to {key} and values of at most {value} characters, none of \
         them a control character"
    );
    (!right).then(|| FieldError::new("instance.metadata", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(metadata: impl IntoIterator<Item = (String, String)>) -> Instance {
        Instance { id: "a".into(), host: "::1".into(), port: 1, metadata: metadata.into_iter().collect() }
    }

    #[test]
    fn names_have_no_character_that_means_something_elsewhere() {
        for right in ["producer", "a.b-c_d9", &"x".repeat(64)] {
            assert!(service(right).is_ok(), "{right}");
        }
        for wrong in ["", "Producer", "a/b", "a b", "a\n", "é", "*", &"x".repeat(65)] {
            assert!(service(wrong).is_err(), "{wrong:?}");
        }
        for wrong in ["", "a/b", "a b", "é", &"x".repeat(129)] {
            assert!(reference("producer", wrong).is_err(), "{wrong:?}");
        }
        assert!(reference("producer", &"X".repeat(128)).is_ok());
    }

    #[test]
    fn metadata_is_bounded_in_characters() {
        let entry = |key: &str, value: &str| [(key.to_owned(), value.to_owned())];
        assert!(instance("a", &with(entry(&"é".repeat(128), &"é".repeat(256)))).is_ok());
        assert!(instance("a", &with(entry(&"k".repeat(129), ""))).is_err());
        assert!(instance("a", &with(entry("k", &"v".repeat(257)))).is_err());
        assert!(instance("a", &with(entry("", "v"))).is_err());
        assert!(instance("a", &with(entry("k", "a\u{1b}[31m"))).is_err());
        let many = |count: usize| with((0..count).map(|key| (key.to_string(), String::new())));
        assert!(instance("a", &many(16)).is_ok());
        assert!(instance("a", &many(17)).is_err());
    }

    #[test]
    fn every_wrong_field_is_named() {
        let wrong = Instance { id: String::new(), port: 0, ..with([(String::new(), String::new())]) };
        let error = instance("", &wrong).unwrap_err();
        let fields: Vec<&str> = error.errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["service", "instance.id", "instance.port", "instance.metadata"]);
    }
}
