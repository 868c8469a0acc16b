//! Finding products by words and owner.

use bson::{Document, doc};
use serde::Deserialize;
use service::http::{FieldError, Limit};
use service::{ApiError, ApiResult};
use utoipa::IntoParams;
use uuid::Uuid;

const MOST_CHARACTERS: usize = 200;
const MOST_WORDS: usize = 10;

/// Which products are asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// Words that name or description hold, all of them and in any case; at most 10.
    #[param(example = "tea pot", max_length = 200)]
    q: Option<String>,
    /// Only those of this owner.
    owner_id: Option<Uuid>,
    /// How many at most; 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    pub(crate) after: Option<Uuid>,
}

impl Search {
    /// How many at most.
    pub(crate) fn limit(&self) -> ApiResult<Limit> {
        Limit::of(self.limit)
    }

    /// What finds them.
    pub(crate) fn filter(&self) -> ApiResult<Document> {
        let mut filter = Document::new();
        if let Some(owner_id) = self.owner_id {
            filter.insert("seller.id", owner_id.to_string());
        }
        let words = words(self.q.as_deref().unwrap_or_default())?;
        if !words.is_empty() {
            let holds = |word: &str| {
                let holds = doc! { "$regex": escaped(word), "$options": "i" };
                doc! { "$or": [{ "details.name": holds.clone() }, { "details.description": holds }] }
            };
            filter.insert("$and", words.into_iter().map(holds).collect::<Vec<_>>());
        }
        Ok(filter)
    }
}

fn words(q: &str) -> ApiResult<Vec<&str>> {
    let wrong = |detail: String| Err(ApiError::unprocessable([FieldError::new("q", detail)]));
    if q.chars().count() > MOST_CHARACTERS {
        return wrong(format!("must have at most {MOST_CHARACTERS} characters"));
    }
    // A NUL would end the expression.
    if q.chars().any(char::is_control) {
        return wrong("must not hold control characters".to_owned());
    }
    let words: Vec<&str> = q.split_whitespace().collect();
    if words.len() > MOST_WORDS {
        return wrong(format!("must have at most {MOST_WORDS} words"));
    }
    Ok(words)
}

/// An expression that finds just this text.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() * 2);
    for character in text.chars() {
        if r"\.+*?()|[]{}^$".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_means_itself() {
        assert_eq!(escaped(r"a.*(b|c)[d]{2}^$\+?é-<"), r"a\.\*\(b\|c\)\[d\]\{2\}\^\$\\\+\?é-<");
    }

    #[test]
    fn words_are_few_and_printable() {
        assert_eq!(words("  tea\u{3000}pot ").unwrap(), ["tea", "pot"]);
        for wrong in ["a\0b", "tea\npot", &"x".repeat(201), &"x ".repeat(11)] {
            assert_eq!(words(wrong).unwrap_err().status(), 422, "{wrong:?}");
        }
    }
}
