//! What a field may hold. Every field that is wrong is named at once.

use garde::{Error, Result, Validate};

use crate::http::FieldError;
use crate::{ApiError, ApiResult};

/// The request, if all its fields are right.
///
/// # Errors
/// 422 with each field that is not.
pub fn valid<T: Validate<Context = ()>>(request: T) -> ApiResult<T> {
    valid_as(request, |field| field)
}

/// The same for a request whose fields have other names outside.
///
/// # Errors
/// 422 with each field that is not right.
pub fn valid_as<T: Validate<Context = ()>>(request: T, outside: fn(&str) -> &str) -> ApiResult<T> {
    let Err(report) = request.validate() else { return Ok(request) };
    let wrong = report.iter().map(|(field, error)| FieldError::new(outside(&field.to_string()), error.message()));
    Err(ApiError::unprocessable(wrong))
}

/// A line of text that says something, of at most so many characters; for garde's `custom`.
///
/// # Errors
/// If it is none.
pub fn line<const MOST: usize, T: AsRef<str> + ?Sized>(value: &T, _: &()) -> Result {
    let value = value.as_ref();
    if value.trim().is_empty() {
        return Err(Error::new("must not be blank"));
    }
    if value.chars().any(char::is_control) {
        return Err(Error::new("must not hold control characters"));
    }
    if value.chars().count() > MOST {
        return Err(Error::new(format!("must have at most {MOST} characters")));
    }
    Ok(())
}

/// An e-mail address that SMTP can carry; for garde's `custom`.
///
/// # Errors
/// If it is none.
pub fn email<T: AsRef<str> + ?Sized>(value: &T, _: &()) -> Result {
    let value = value.as_ref();
    let is_address = value.len() <= 254 && garde::rules::email::parse_email(value).is_ok();
    if is_address { Ok(()) } else { Err(Error::new("is not an e-mail address")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_something_and_is_not_too_long() {
        for right in ["A", "Ada Lovelace", "李", &"é".repeat(200)] {
            assert!(line::<200, _>(right, &()).is_ok(), "{right}");
        }
        for wrong in ["", " \t", "a\0b", "a\nb", "\u{7f}", &"é".repeat(201)] {
            assert!(line::<200, _>(wrong, &()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_address_has_a_user_and_a_domain() {
        for right in ["ada@example.org", "a.b+c@sub.example.org"] {
            assert!(email(right, &()).is_ok(), "{right}");
        }
        for wrong in ["", "ada", "@example.org", "ada@", "a b@example.org", "ada@exa mple.org", "a\0@example.org"] {
            assert!(email(wrong, &()).is_err(), "{wrong:?}");
        }
        assert!(email(&format!("a@{}.org", "b.".repeat(130)), &()).is_err());
    }
}
