//! Where what is searched for comes from.

use client::{ServiceClient, Services};
use contracts::products::{ProductEvent, ProductState, ProductUpdated};
use serde::Deserialize;
use uuid::Uuid;

use crate::search::document::{self, UserText, Versioned};
use crate::stores::mongodb;
use crate::stores::users::{Known, Users};

/// How many users, or products, are read at once.
const PAGE: u32 = 200;

/// Who knows best.
#[derive(Clone, Debug)]
pub enum Truth {
    /// MongoDB knows the users, also which were deleted.
    Users(Users),
    /// The service of the products knows those that there are.
    Products(ServiceClient),
}

/// A part of what there is.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) documents: Vec<Versioned>,
    /// Where the next one begins.
    pub(super) next: Option<Uuid>,
}

#[derive(Deserialize)]
struct Products {
    products: Vec<ProductState>,
    next: Option<Uuid>,
}

impl Truth {
    /// The products, as their service shows them.
    pub fn products(services: &Services) -> Self {
        Self::Products(services.service("products"))
    }

    /// How much there is, if that can be told beforehand.
    pub(super) async fn count(&self) -> Result<Option<u64>, String> {
        match self {
            Self::Users(users) => users.count().await.map(Some).map_err(|error| mongodb::failure(&error).reason),
            Self::Products(_) => Ok(None),
        }
    }

    /// What comes after this id.
    pub(super) async fn page(&self, after: Option<Uuid>) -> Result<Page, String> {
        match self {
            Self::Users(users) => {
                let known = users.known(after, PAGE).await.map_err(|error| mongodb::failure(&error).reason)?;
                let next = known.last().filter(|_| known.len() == PAGE as usize).map(|last| last.user_id);
                let documents = known.into_iter().map(user).collect::<Result<_, _>>()?;
                Ok(Page { documents, next })
            }
            Self::Products(service) => {
                let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
                let page = service.get(&format!("/v1/products?limit={PAGE}{after}")).send::<Products>().await;
                let Products { products, next } = page.map_err(|error| error.to_string())?;
                let documents = products.into_iter().map(product).collect::<Result<_, _>>()?;
                Ok(Page { documents, next })
            }
        }
    }
}

fn user(known: Known) -> Result<Versioned, String> {
    let text = known.user.map(|(name, email)| UserText::new(&name, &email));
    document::user(known.user_id, text, known.version).map_err(|failure| failure.reason)
}

fn product(state: ProductState) -> Result<Versioned, String> {
    let version = state.version;
    let event = ProductEvent::Updated(ProductUpdated(state));
    document::of_product(&event, version).map_err(|failure| failure.reason)
}
