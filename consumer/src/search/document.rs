//! What is kept of a user and of a product. Of a deleted one, only what keeps an older change from bringing it back.

use contracts::Currency;
use contracts::products::ProductEvent;
use contracts::users::UserEvent;
use messaging::Failure;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::stores::check_length;
use crate::stores::users;

/// Far more than the products service accepts.
const MAX_CHARS: usize = 10_000;

/// A document with its version: it is written unless the index has that version, or a newer one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Versioned {
    pub(super) id: String,
    pub(super) version: i64,
    pub(super) source: serde_json::Value,
}

/// A user's document.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct UserDocument {
    pub(super) user_id: Uuid,
    #[serde(flatten)]
    pub(super) user: Option<UserText>,
    #[serde(flatten)]
    pub(super) stamp: Stamp,
}

/// What a user is found by.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct UserText {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) searchable_text: String,
}

impl UserText {
    pub(super) fn new(name: &str, email: &str) -> Self {
        Self { name: name.to_owned(), email: email.to_owned(), searchable_text: format!("{name} {email}") }
    }
}

#[derive(Debug, Serialize)]
struct ProductDocument<'a> {
    product_id: Uuid,
    #[serde(flatten)]
    product: Option<ProductText<'a>>,
    #[serde(flatten)]
    stamp: Stamp,
}

#[derive(Debug, Serialize)]
struct ProductText<'a> {
    name: &'a str,
    description: &'a str,
    owner_name: &'a str,
    price: i64,
    currency: Currency,
    stock: i64,
}

/// What each document has.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) version: i64,
    pub(super) deleted: bool,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) indexed_at: OffsetDateTime,
}

impl Stamp {
    fn new(version: i64, deleted: bool) -> Self {
        Self { version, deleted, indexed_at: OffsetDateTime::now_utc() }
    }
}

/// The document that an event about a user makes.
pub(super) fn of_user(event: &UserEvent, version: i64) -> Result<Versioned, Failure> {
    users::check(event)?;
    user(event.user_id(), event.state().map(|state| UserText::new(&state.name, &state.email)), version)
}

/// A user's document; a tombstone without a user.
pub(super) fn user(user_id: Uuid, user: Option<UserText>, version: i64) -> Result<Versioned, Failure> {
    let stamp = Stamp::new(version, user.is_none());
    versioned(user_id, version, &UserDocument { user_id, user, stamp })
}

/// The document that an event about a product makes.
pub(super) fn of_product(event: &ProductEvent, version: i64) -> Result<Versioned, Failure> {
    let product_id = event.product_id();
    let product = event.state().map(|state| ProductText {
        name: &state.name,
        description: &state.description,
        owner_name: &state.owner.name,
        price: state.price.amount,
        currency: state.price.currency,
        stock: state.stock,
    });
    if let Some(ProductText { name, description, owner_name, .. }) = &product {
        for (field, text) in [("name", name), ("description", description), ("owner.name", owner_name)] {
            check_length(field, text, MAX_CHARS)?;
        }
    }
    let stamp = Stamp::new(version, product.is_none());
    versioned(product_id, version, &ProductDocument { product_id, product, stamp })
}

fn versioned(id: Uuid, version: i64, document: &impl Serialize) -> Result<Versioned, Failure> {
    let source = serde_json::to_value(document).map_err(Failure::reject)?;
    Ok(Versioned { id: id.to_string(), version, source })
}
