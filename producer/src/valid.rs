//! What a field may hold. Every field that is wrong is named at once.

#![allow(clippy::ptr_arg, reason = "garde hands a check the field's own type")]

use std::borrow::Borrow;

use garde::{Error, Result};
use secrecy::{ExposeSecret, SecretString};
use service::valid::{self as rules, line};
pub(crate) use service::valid::{valid, valid_as};

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
    line::<200, _>(value, &())
}

/// A section: 1 to 64 characters, not only spaces, no control characters.
pub(crate) fn section(value: &str) -> Result {
    line::<64, _>(value, &())
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
    rules::email(value, &())
}

/// A password: 8 to 128 characters. The bound keeps hashing cheap for us whatever is sent.
pub(crate) fn password(value: &SecretString) -> Result {
    if (8..=128).contains(&value.expose_secret().chars().count()) {
        Ok(())
    } else {
        Err(Error::new("must have 8 to 128 characters"))
    }
}

/// A password that somebody says is theirs: one that is too short for a new one is as wrong as any other that is not theirs.
pub(crate) fn any_password(value: &SecretString) -> Result {
    if (1..=128).contains(&value.expose_secret().chars().count()) {
        Ok(())
    } else {
        Err(Error::new("must have 1 to 128 characters"))
    }
}

/// A token: not longer than any of ours.
pub(crate) fn token(value: &SecretString) -> Result {
    if (1..=128).contains(&value.expose_secret().len()) { Ok(()) } else { Err(Error::new("is not a refresh token")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_srn_can_stand_in_a_path() {
        for right in ["1", "PES1UG21CS001", "a.b-c_d", &"x".repeat(64)] {
            assert!(srn(right).is_ok(), "{right}");
        }
        for wrong in ["", "a b", "a/b", "é", "a\0", "%41", &"x".repeat(65)] {
            assert!(srn(wrong).is_err(), "{wrong:?}");
        }
    }
}
