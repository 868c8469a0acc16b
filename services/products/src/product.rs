//! A product, as it is stored, and the events that tell of it.

use contracts::Money;
use contracts::headers::VERSION;
use contracts::products::{ProductCreated, ProductDeleted, ProductOwner, ProductState, ProductUpdated};
use messaging::Outgoing;
use serde::{Deserialize, Serialize};
use service::documents::{Aggregate, WhenFull, instant, now};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::images::{Image, Key, Picture};
use crate::stock::shelf::Shelf;

/// What is told of a product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// What one costs.
    pub price: Money,
}

/// Whose a product is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seller {
    /// The owner.
    #[serde(with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    /// First and last name.
    pub name: String,
    /// Postal address.
    pub address: String,
    /// The owner's version that this was taken from.
    pub version: i64,
    /// The user who may change the owner and its products.
    #[serde(with = "uuid::serde::hyphenated")]
    pub created_by: Uuid,
}

/// A product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Identifies it.
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub id: Uuid,
    /// What is told of it; absent once it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
    /// Whose it is; absent once it is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller: Option<Seller>,
    /// How many there are. Orders may still hold some of a deleted one, and buy them or give them back.
    pub stock: Shelf,
    /// Its image, and what is known of those before.
    #[serde(default, skip_serializing_if = "Picture::is_nothing")]
    pub picture: Picture,
    /// Whether its owner may have changed while it was created, which is yet to be looked up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_new: bool,
    /// One more with each change.
    pub version: i64,
    /// When it was created.
    #[serde(with = "instant")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "instant")]
    pub updated_at: OffsetDateTime,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "instant::option")]
    pub deleted_at: Option<OffsetDateTime>,
}

impl Product {
    /// A product that nobody has bought yet.
    pub fn new(details: Details, seller: Seller, stock: i64) -> Self {
        let now = now();
        Self {
            id: Uuid::now_v7(),
            details: Some(details),
            seller: Some(seller),
            stock: Shelf::of(stock),
            picture: Picture::default(),
            is_new: true,
            version: 1,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        }
    }

    /// Whether it can be seen and bought.
    pub fn is_there(&self) -> bool {
        self.deleted_at.is_none()
    }

    /// With other details; `None` if they are the same.
    pub fn updated(&self, details: &Details) -> Option<Self> {
        let changed = self.details.as_ref() != Some(details);
        changed.then(|| Self { details: Some(details.clone()), ..self.next() })
    }

    /// With what a newer version of its owner says; `None` if that is not newer.
    pub fn with_seller(&self, name: &str, address: &str, version: i64) -> Option<Self> {
        let seller = self.seller.as_ref().filter(|seller| seller.version < version)?;
        let seller = Seller { name: name.to_owned(), address: address.to_owned(), version, ..seller.clone() };
        Some(Self { seller: Some(seller), ..self.next() })
    }

    /// With this stock.
    pub fn with_stock(&self, stock: Shelf) -> Self {
        Self { stock, ..self.next() }
    }

    /// With this image, or with none.
    pub fn with_picture(&self, picture: Picture) -> Self {
        Self { picture, ..self.next() }
    }

    /// What is left of it.
    pub fn deleted(&self) -> Self {
        let next = self.next();
        let picture = Picture::default();
        Self { details: None, seller: None, picture, is_new: false, deleted_at: Some(next.updated_at), ..next }
    }

    fn next(&self) -> Self {
        Self { version: self.version + 1, updated_at: now(), ..self.clone() }
    }

    /// Where its image is.
    pub(crate) fn image_key(&self) -> Option<Key> {
        let Image { id, epoch, .. } = *self.picture.image.as_ref()?;
        Some(Key { product_id: self.id, epoch, id })
    }

    /// What everybody may know, unless it is deleted.
    pub fn state(&self) -> Option<ProductState> {
        let (details, seller) = (self.details.clone()?, self.seller.clone()?);
        let owner =
            ProductOwner { owner_id: seller.id, name: seller.name, address: seller.address, version: seller.version };
        Some(ProductState {
            product_id: self.id,
            name: details.name,
            description: details.description,
            price: details.price,
            owner,
            stock: self.stock.available,
            reserved: self.stock.reserved,
            sold: self.stock.sold,
            image: self.picture.image.as_ref().map(Image::shown),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

impl Aggregate for Product {
    const NAME: &'static str = "product";
    const WHEN_FULL: WhenFull = WhenFull::DropOldest;

    fn id(&self) -> Uuid {
        self.id
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn event(&self) -> Option<Outgoing> {
        let (product_id, version) = (self.id, self.version);
        let event = match (self.state(), self.deleted_at) {
            (Some(state), None) if version == 1 => Outgoing::new(&ProductCreated(state)),
            (Some(state), None) => Outgoing::new(&ProductUpdated(state)),
            (_, deleted_at) => {
                let deleted_at = deleted_at.unwrap_or(self.updated_at);
                Outgoing::new(&ProductDeleted { product_id, version, deleted_at })
            }
        };
        Some(event.with_header(VERSION, version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product() -> Product {
        let price = Money::new(1999, "EUR".parse().unwrap());
        let details = Details { name: "Teapot".into(), description: "Holds a litre.".into(), price };
        let [id, created_by] = [1, 2].map(Uuid::from_u128);
        let seller = Seller { id, name: "Grace".into(), address: "1 Harbour Street".into(), version: 3, created_by };
        Product::new(details, seller, 5)
    }

    /// The driver reads raw bytes, which is another way than they are written.
    #[test]
    fn a_product_is_read_as_it_was_written() {
        let held = product().with_stock(product().stock.taken(Uuid::now_v7(), 2).unwrap());
        for product in [product(), held.deleted(), held] {
            let bytes = bson::serialize_to_document(&product).unwrap().to_vec().unwrap();
            assert_eq!(bson::deserialize_from_slice::<Product>(&bytes).unwrap(), product);
        }
    }

    #[test]
    fn each_state_has_its_event() {
        let product = product();
        let bought = product.with_stock(Shelf::of(4));
        let events = [(&product, "product.created", 1), (&bought, "product.updated", 2)];
        for (product, kind, version) in events.into_iter().chain([(&bought.deleted(), "product.deleted", 3)]) {
            let event = product.event().unwrap();
            assert_eq!((event.kind.as_str(), event.headers.int(VERSION)), (kind, Some(version)));
        }
        assert_eq!(product.updated(&product.details.clone().unwrap()), None, "the same again is no change");
    }

    #[test]
    fn only_a_newer_owner_is_shown() {
        let product = product();
        for stale in [1, 3] {
            assert_eq!(product.with_seller("Ada", "elsewhere", stale), None);
        }
        let owner = product.with_seller("Ada", "elsewhere", 4).unwrap().state().unwrap().owner;
        assert_eq!((owner.name.as_str(), owner.address.as_str(), owner.version), ("Ada", "elsewhere", 4));
    }

    #[test]
    fn of_a_deleted_product_only_the_numbers_are_left() {
        let left = bson::serialize_to_document(&product().deleted()).unwrap().to_string();
        assert!(!left.contains("Grace") && !left.contains("Teapot") && left.contains("available"), "{left}");
    }
}
