//! Asking for pages of what was found, and reading them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use contracts::Currency;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::client::Error;
use super::cursor::Cursor;
use super::index::{Index, Kind};
use super::query;

/// A page of what was found.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Found {
    /// The best first; what matches equally well in the order of creation.
    pub hits: Vec<Hit>,
    /// What to ask the next page with, as `after`; null on the last one.
    pub next: Option<String>,
    /// How many there are on all pages together.
    #[schema(example = 1)]
    pub total: u64,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Hit {
    /// What it is.
    pub kind: Kind,
    /// Identifies it.
    pub id: Uuid,
    /// How well it matches: 100 the very text, from 70 all of its words, from 50 words that begin so, below that words that
    /// are similar.
    #[schema(example = 90.0)]
    pub score: f32,
    /// What matched, by field: HTML, in which everything but the marks `<em>` and `</em>` is escaped.
    pub highlight: BTreeMap<String, Vec<String>>,
    /// The rest.
    #[serde(flatten)]
    pub source: Source,
}

/// What is known of something that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Source {
    /// Of a product.
    Product(FoundProduct),
    /// Of a user.
    User(FoundUser),
}

/// A user that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FoundUser {
    /// Name.
    #[schema(example = "Ada Lovelace")]
    pub name: String,
    /// E-mail address.
    #[schema(example = "ada@example.org")]
    pub email: String,
}

/// A product that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FoundProduct {
    /// Name.
    #[schema(example = "Teapot")]
    pub name: String,
    /// What it is.
    pub description: String,
    /// Whose it is.
    #[schema(example = "Grace Hopper")]
    pub owner_name: String,
    /// What one costs, in the currency's minor units.
    #[schema(example = 1999)]
    pub price: i64,
    /// The currency.
    pub currency: Currency,
    /// How many could be bought when it was indexed.
    #[schema(example = 50)]
    pub stock: i64,
}

#[derive(Deserialize)]
struct Answer {
    hits: Hits,
}

#[derive(Deserialize)]
struct Hits {
    total: Total,
    hits: Vec<RawHit>,
}

#[derive(Deserialize)]
struct Total {
    value: u64,
}

#[derive(Deserialize)]
struct RawHit {
    _source: Source,
    sort: (f32, Uuid),
    #[serde(default)]
    highlight: BTreeMap<String, Vec<String>>,
}

impl Index {
    /// A page of what matches a text.
    pub(super) async fn find(&self, text: &str, limit: usize, after: Option<Cursor>) -> Result<Found, Error> {
        // One more than asked for tells whether there is a next page.
        let request = query::page(self.kind, text, limit + 1, after);
        let answer = match self.search(text, &request).await {
            // The index was replaced, and the old one deleted, in the middle of it.
            Err(Error::Status { status: 404 | 500 | 503, .. }) => self.search(text, &request).await?,
            answer => answer?,
        };
        let Answer { hits: Hits { total, hits } } =
            serde_json::from_value(answer).map_err(|error| Error::Unreadable(error.to_string()))?;
        let more = hits.len() > limit;
        let hit = |RawHit { _source, sort: (score, id), highlight }| Hit {
            kind: self.kind,
            id,
            score,
            highlight,
            source: _source,
        };
        let hits: Vec<Hit> = hits.into_iter().take(limit).map(hit).collect();
        let last = hits.last().filter(|_| more).map(|hit| Cursor { score: hit.score, id: hit.id });
        Ok(Found { hits, next: last.map(|cursor| cursor.to_string()), total: total.value })
    }

    async fn search(&self, text: &str, request: &Value) -> Result<Value, Error> {
        // All pages come from the same copy: the others show what is new a little earlier or later.
        let mut copy = DefaultHasher::new();
        text.hash(&mut copy);
        let path = format!("/{}/_search?allow_partial_search_results=false&preference={:x}", self.alias, copy.finish());
        self.client.request(Method::POST, &path, Some(request)).await
    }
}
