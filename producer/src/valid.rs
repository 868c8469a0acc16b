//! What a field may hold. Every field that is wrong is named at once.

#![allow(clippy::ptr_arg, reason = "garde hands a check the field's own type")]

use std::borrow::Borrow;

use garde::{Error, Result, Validate};
use secrecy::{ExposeSecret, SecretString};
use service::http::FieldError;
use service::{ApiError, ApiResult};

/// The request if all its fields are right, otherwise 422.
pub(crate) fn valid<T: Validate<Context = ()>>(request: T) -> ApiResult<T> {
    valid_as(request, |field| field)
}

/// The same for a request whose fields have other names outside.
pub(crate) fn valid_as<T: Validate<Context = ()>>(request: T, outside: fn(&str) -> &str) -> ApiResult<T> {
    match request.validate() {
        Ok(()) => Ok(request),
        Err(report) => Err(ApiError::unprocessable(
            report.iter().map(|(field, error)| FieldError::new(outside(&field.to_string()), error.message())),
        )),
    }
}

/// The field is there; its other rules are checked only then.
pub(crate) fn required<T: Borrow<R>, R: ?Sized>(rule: fn(&R) -> Result) -> impl Fn(&Option<T>, &()) -> Result {
    move |value, ()| rule(value.as_ref().ok_or_else(|| Error::new("is required"))?.borrow())
}

/// The field may be absent.
pub(crate) fn optional<T: Borrow<R>, R: ?Sized>(rule: fn(&R) -> Result) -> impl Fn(&Option<T>, &()) -> Result {
    move |value, ()| value.as_ref().map_or(Ok(()), |value| rule(value.borrow()))
}

/// A name of somebody or something: 1 to 200 characters, not only spaces, no control characters.
pub(crate) fn name(value: &str) -> Result {
    line(value, 200)
}

/// A section: 1 to 64 characters, not only spaces, no control characters.
pub(crate) fn section(value: &str) -> Result {
    line(value, 64)
}

/// Control characters include U+0000, which Postgres cannot store.
fn line(value: &str, longest: usize) -> Result {
    if value.trim().is_empty() {
        Err(Error::new("must not be blank"))
    } else if value.chars().count() > longest {
        Err(Error::new(format!("must have at most {longest} characters")))
    } else if value.chars().any(char::is_control) {
        Err(Error::new("must not hold control characters"))
    } else {
        Ok(())
    }
}

/// A student registration number, which also stands in paths: 1 to 64 of `A-Z a-z 0-9 . _ -`; case matters.
pub(crate) fn srn(value: &str) -> Result {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=64).contains(&value.len()) && value.bytes().all(known) {
        Ok(())
    } else {
        Err(Error::new("must have 1 to 64 letters, digits, `.`, `_` or `-`"))
    }
}

/// An e-mail address, at most 254 characters long.
pub(crate) fn email(value: &str) -> Result {
    // The longest that SMTP can carry.
    if value.len() <= 254 && garde::rules::email::parse_email(value).is_ok() {
        Ok(())
    } else {
        Err(Error::new("is not an e-mail address"))
    }
}

/// A password: 8 to 128 characters. The bound keeps hashing cheap for us whatever is sent.
pub(crate) fn password(value: &SecretString) -> Result {
    if (8..=128).contains(&value.expose_secret().chars().count()) {
        Ok(())
    } else {
        Err(Error::new("must have 8 to 128 characters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_line_that_says_something() {
        for right in ["A", "Ada Lovelace", "李", &"é".repeat(200)] {
            assert!(name(right).is_ok(), "{right}");
        }
        for wrong in ["", " \t", "a\0b", "a\nb", "\u{7f}", &"é".repeat(201)] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_srn_can_stand_in_a_path() {
        for right in ["1", "PES1UG21CS001", "a.b-c_d", &"x".repeat(64)] {
            assert!(srn(right).is_ok(), "{right}");
        }
        for wrong in ["", "a b", "a/b", "é", "a\0", "%41", &"x".repeat(65)] {
            assert!(srn(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_email_address_has_a_user_and_a_domain() {
        for right in ["ada@example.org", "a.b+c@sub.example.org"] {
            assert!(email(right).is_ok(), "{right}");
        }
        for wrong in ["", "ada", "@example.org", "ada@", "a b@example.org", "ada@exa mple.org", "a\0@example.org"] {
            assert!(email(wrong).is_err(), "{wrong:?}");
        }
        assert!(email(&format!("a@{}.org", "b.".repeat(130))).is_err());
    }
}
