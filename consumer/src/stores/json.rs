//! JSON as it is kept in MongoDB: as it is meant, and never as a command.

use bson::{Bson, Document};
use messaging::Failure;
use serde_json::{Map, Number, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Far more than the producer accepts, and far less than MongoDB can hold.
const MAX_DEPTH: usize = 32;
const MAX_BYTES: usize = 64 * 1024;

/// An object as a document. MongoDB gives names with `$` or `.` a meaning, so there are none.
pub(super) fn to_document(field: &str, object: &Map<String, Value>) -> Result<Document, Failure> {
    let bytes = serde_json::to_vec(object).map_err(Failure::reject)?.len();
    if bytes > MAX_BYTES {
        return Err(Failure::reject(format!("`{field}` is longer than {MAX_BYTES} bytes")));
    }
    members(object, 1).map_err(|problem| Failure::reject(format!("`{field}` {problem}")))
}

fn members(object: &Map<String, Value>, depth: usize) -> Result<Document, String> {
    if depth > MAX_DEPTH {
        return Err(format!("is nested deeper than {MAX_DEPTH} levels"));
    }
    let member = |(name, value): (&String, &Value)| {
        if name.starts_with('$') || name.contains(['.', '\0']) {
            return Err(format!("has a name that cannot be kept: {name:?}"));
        }
        Ok((name.clone(), to_bson(value, depth)?))
    };
    object.iter().map(member).collect()
}

fn to_bson(value: &Value, depth: usize) -> Result<Bson, String> {
    Ok(match value {
        Value::Null => Bson::Null,
        Value::Bool(bool) => Bson::Boolean(*bool),
        Value::String(text) => Bson::String(text.clone()),
        // Beyond the largest integer that MongoDB knows, numbers are as exact as JSON's are for most programs.
        Value::Number(number) => {
            number.as_i64().map_or_else(|| Bson::Double(number.as_f64().unwrap_or(f64::NAN)), Bson::Int64)
        }
        Value::Object(object) => Bson::Document(members(object, depth + 1)?),
        Value::Array(_) if depth == MAX_DEPTH => return Err(format!("is nested deeper than {MAX_DEPTH} levels")),
        Value::Array(values) => {
            Bson::Array(values.iter().map(|value| to_bson(value, depth + 1)).collect::<Result<_, _>>()?)
        }
    })
}

/// What is kept, for people to see.
pub(super) fn to_json(kept: Bson) -> Value {
    match kept {
        Bson::Null => Value::Null,
        Bson::Boolean(bool) => bool.into(),
        Bson::String(text) => text.into(),
        Bson::Int32(number) => number.into(),
        Bson::Int64(number) => number.into(),
        Bson::Double(number) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        Bson::DateTime(time) => {
            let nanos = i128::from(time.timestamp_millis()) * 1_000_000;
            let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok();
            time.and_then(|time| time.format(&Rfc3339).ok()).map_or(Value::Null, Value::String)
        }
        Bson::Array(values) => values.into_iter().map(to_json).collect(),
        Bson::Document(document) => {
            Value::Object(document.into_iter().map(|(name, value)| (name, to_json(value))).collect())
        }
        // Warren keeps nothing of another type.
        other => other.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use bson::DateTime;
    use serde_json::json;

    use super::*;

    fn kept(value: Value) -> Result<Value, Failure> {
        let object = value.as_object().expect("the test's values are objects");
        to_document("preferences", object).map(|document| to_json(Bson::Document(document)))
    }

    #[test]
    fn what_is_kept_comes_back_as_it_was() {
        let max = i64::MAX;
        let value = json!({ "a": [1, -1.5, true, null, "$set", { "b": {} }], "ä \u{202e}\u{1f600}": "", "": max });
        assert_eq!(kept(value.clone()).unwrap(), value);
        assert_eq!(kept(json!({ "big": u64::MAX })).unwrap(), json!({ "big": u64::MAX as f64 }));
        assert_eq!(to_json(Bson::DateTime(DateTime::from_millis(1_500))), json!("1970-01-01T00:00:01.5Z"));
    }

    #[test]
    fn what_would_be_a_command_or_too_much_is_refused() {
        let mut deep = json!(1);
        for _ in 0..MAX_DEPTH {
            deep = json!([deep]);
        }
        let long = "x".repeat(MAX_BYTES);
        for wrong in [
            json!({ "$set": 1 }),
            json!({ "a": { "$where": "1" } }),
            json!({ "a": [{ "b.c": 1 }] }),
            json!({ "a\0": 1 }),
            json!({ "deep": deep }),
            json!({ "long": long }),
        ] {
            let failure = kept(wrong.clone()).expect_err("it was kept");
            assert_eq!(failure.kind, messaging::FailureKind::Reject, "{wrong}");
            assert!(failure.reason.starts_with("`preferences` "), "{failure}");
        }
    }
}
