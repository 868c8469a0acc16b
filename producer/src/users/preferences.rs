//! What a user prefers: names that programs agree on, within limits that every store can hold.

use garde::{Error, Result};
use serde_json::{Map, Value};

/// Preferences by name.
pub(crate) type Preferences = Map<String, Value>;

/// Their length as JSON.
const BYTES: usize = 4096;
/// How many names an object may have, at each level.
const NAMES: usize = 32;
/// How deep objects and lists may be nested.
const DEPTH: usize = 4;
/// The length of a name, in characters.
const NAME: usize = 64;

/// Whether they are within the limits.
pub(super) fn preferences(preferences: &Preferences) -> Result {
    let bytes = serde_json::to_vec(preferences).map_or(usize::MAX, |json| json.len());
    if bytes > BYTES {
        return Err(Error::new("must be at most 4,096 bytes long as JSON"));
    }
    object(preferences, 1)
}

fn object(object: &Preferences, depth: usize) -> Result {
    not_too(depth)?;
    if object.len() > NAMES {
        return Err(Error::new("must have at most 32 names at each level"));
    }
    object.iter().try_for_each(|(name, inner)| {
        if !(1..=NAME).contains(&name.chars().count()) {
            return Err(Error::new("must have names of 1 to 64 characters"));
        }
        // MongoDB takes the first two for an operator and a path.
        if name.starts_with('$') || name.contains(['.', '\0']) {
            return Err(Error::new("must have names without `$` at the start, `.` and U+0000"));
        }
        value(inner, depth)
    })
}

fn value(value: &Value, depth: usize) -> Result {
    match value {
        Value::Object(inner) => object(inner, depth + 1),
        Value::Array(items) => {
            not_too(depth + 1)?;
            items.iter().try_for_each(|item| self::value(item, depth + 1))
        }
        // Postgres cannot hold it.
        Value::String(text) if text.contains('\0') => Err(Error::new("must not hold U+0000")),
        _ => Ok(()),
    }
}

fn not_too(deep: usize) -> Result {
    if deep > DEPTH { Err(Error::new("must be nested at most 4 levels deep")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(value: Value) -> Preferences {
        match value {
            Value::Object(preferences) => preferences,
            other => panic!("{other} is not an object"),
        }
    }

    fn many(names: usize) -> Value {
        (0..names).map(|name| (format!("n{name}"), json!(1))).collect::<Map<_, _>>().into()
    }

    #[test]
    fn what_every_store_can_hold_is_right() {
        for right in [
            json!({}),
            json!({ "theme": "dark", "öäü 李": null, "a$": [1, 2.5, true], "mail": { "news": false } }),
            json!({ "a": { "b": { "c": { "d": 1 } } } }),
            json!({ "a": [[[1]]] }),
            json!({ "x".repeat(64): 1 }),
            json!({ "a": many(32) }),
            json!({ "a": "x".repeat(BYTES - r#"{"a":""}"#.len()) }),
        ] {
            assert!(preferences(&of(right.clone())).is_ok(), "{right}");
        }
    }

    #[test]
    fn what_is_too_much_or_means_something_to_a_store_is_wrong() {
        for wrong in [
            json!({ "a": { "b": { "c": { "d": { "e": 1 } } } } }),
            json!({ "a": [[[[1]]]] }),
            json!({ "": 1 }),
            json!({ "é".repeat(65): 1 }),
            json!({ "$where": 1 }),
            json!({ "a": [{ "$gt": 1 }] }),
            json!({ "a.b": 1 }),
            json!({ "a\0": 1 }),
            json!({ "a": ["\0"] }),
            many(33),
            json!({ "a": many(33) }),
            json!({ "a": "x".repeat(BYTES) }),
        ] {
            assert!(preferences(&of(wrong.clone())).is_err(), "{wrong}");
        }
    }
}
