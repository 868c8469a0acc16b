//! What is asked of the server for what somebody types. The text is only ever compared: no part of it is syntax.

use serde_json::{Value, json};

use super::cursor::Cursor;
use super::index::Kind;

/// One edit in a word of three letters or more.
const ONE_EDIT: &str = "AUTO:3,1000";

/// One edit in a word of three letters or more, two in one of six or more.
const TWO_EDITS: &str = "AUTO:3,6";

/// What a kind is found by.
struct Fields {
    /// Whole values, for what is typed exactly.
    whole: &'static [&'static str],
    /// What most people type.
    main: &'static str,
    /// Everything.
    all: &'static str,
    /// Where what was found is marked: whole, if it is short, or in some fragments.
    short: &'static [&'static str],
    long: &'static [&'static str],
}

fn fields(kind: Kind) -> Fields {
    match kind {
        Kind::Users => Fields {
            whole: &["name.whole", "email.whole"],
            main: "name",
            all: "searchable_text",
            short: &["name", "email"],
            long: &[],
        },
        Kind::Products => Fields {
            whole: &["name.whole"],
            main: "name",
            all: "searchable_text",
            short: &["name", "owner_name"],
            long: &["description"],
        },
    }
}

/// The request for a page of this size.
pub(super) fn page(kind: Kind, text: &str, size: usize, after: Option<Cursor>) -> Value {
    let fields = fields(kind);
    let mut request = json!({
        "size": size,
        "track_total_hits": true,
        "query": { "bool": {
            "filter": { "term": { "deleted": false } },
            "must": { "dis_max": { "queries": tiers(&fields, text) } },
        } },
        "sort": [{ "_score": "desc" }, { kind.id_field(): "asc" }],
        "_source": { "excludes": ["searchable_text"] },
        "highlight": highlight(&fields),
    });
    if let Some(after) = after {
        request["search_after"] = json!([after.score, after.id.to_string()]);
    }
    request
}

/// How well something matches, from best to worst. The score is that of the best tier, and nothing else: no statistics of
/// other documents are in it, so that pages stay as they are while others write.
fn tiers(fields: &Fields, text: &str) -> Vec<Value> {
    let words = |field: &str, edits: Option<&str>| json!({ "match": { field: options(text, edits) } });
    let prefix = |field: &str, edits: Option<&str>| json!({ "match_bool_prefix": { field: options(text, edits) } });
    let mut most = options(text, Some(TWO_EDITS));
    most["minimum_should_match"] = "2<-1".into();
    most["operator"] = "or".into();

    let mut tiers: Vec<Value> =
        fields.whole.iter().map(|field| tier(100, json!({ "term": { *field: text } }))).collect();
    tiers.extend([
        tier(90, json!({ "match_phrase": { fields.main: text } })),
        tier(80, words(fields.main, None)),
        tier(70, words(fields.all, None)),
        tier(60, prefix(fields.main, None)),
        tier(50, prefix(fields.all, None)),
        tier(40, words(fields.main, Some(ONE_EDIT))),
        tier(35, words(fields.all, Some(ONE_EDIT))),
        tier(30, prefix(fields.all, Some(ONE_EDIT))),
        tier(25, words(fields.main, Some(TWO_EDITS))),
        // All words but one, if there are three or more.
        tier(20, json!({ "match": { fields.all: most } })),
    ]);
    tiers
}

fn tier(score: u32, query: Value) -> Value {
    json!({ "constant_score": { "boost": score, "filter": query } })
}

fn options(text: &str, edits: Option<&str>) -> Value {
    let mut options = json!({ "query": text, "operator": "and" });
    if let Some(edits) = edits {
        options["fuzziness"] = edits.into();
        // As a set of documents, not as one clause for each similar word, of which there can be too many.
        options["fuzzy_rewrite"] = "constant_score".into();
    }
    options
}

fn highlight(fields: &Fields) -> Value {
    let short = fields.short.iter().map(|field| (*field, json!({ "number_of_fragments": 0 })));
    let long = fields.long.iter().map(|field| (*field, json!({ "number_of_fragments": 3, "fragment_size": 150 })));
    let fields: serde_json::Map<_, _> = short.chain(long).map(|(field, how)| (field.to_owned(), how)).collect();
    json!({
        "encoder": "html",
        "require_field_match": false,
        "pre_tags": ["<em>"],
        "post_tags": ["</em>"],
        "fields": fields,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_a_value_wherever_it_stands() {
        let text = r#""} }, "match_all": {} // name:* OR (deleted:true)"#;
        let request = page(Kind::Users, text, 10, None);
        let again: Value = serde_json::from_str(&request.to_string()).unwrap();
        assert_eq!(again, request);
        // Nothing that is asked parses a text.
        for parsing in ["query_string", "simple_query_string", "regexp", "wildcard", "script"] {
            assert!(!request.to_string().contains(parsing), "{parsing}");
        }
        assert!(request["query"]["bool"]["filter"]["term"]["deleted"] == false);
    }

    #[test]
    fn a_better_match_has_a_higher_score() {
        let tiers = tiers(&fields(Kind::Products), "teapot");
        let scores: Vec<_> = tiers.iter().map(|tier| tier["constant_score"]["boost"].as_u64().unwrap()).collect();
        assert!(scores.is_sorted_by(|better, worse| better > worse), "{scores:?}");
    }
}
