//! The search: what is kept for it, how it is found, and how it is built anew.
//!
//! Elasticsearch 8 and OpenSearch 2 both understand all that is asked of the server.

mod args;
mod client;
mod cursor;
mod document;
mod find;
mod index;
mod query;
pub mod reindex;
mod write;

use anyhow::Context;
use contracts::products::ProductEvent;
use contracts::users::UserEvent;
use messaging::{Backoff, Failure};
use reqwest::Method;
use secrecy::SecretString;
use uuid::Uuid;

pub use args::SearchArgs;
pub use client::{Client, Error};
pub use cursor::{Cursor, NoCursor};
pub use find::{Found, FoundProduct, FoundUser, Hit, Source};
pub use index::{Index, Kind};

use document::UserDocument;

use crate::stores::versioned::Held;

/// The search. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Search {
    client: Client,
    users: Index,
    products: Index,
}

impl Search {
    /// Connects to the server, and creates the indexes that are missing.
    ///
    /// # Errors
    /// If the URL cannot be used, or the server did not answer often enough.
    pub async fn connect(
        variable: &str,
        url: &SecretString,
        users: &str,
        products: &str,
        backoff: &Backoff,
    ) -> anyhow::Result<Self> {
        let client = Client::new(variable, url)?;
        let search = Self {
            users: Index::new(client.clone(), Kind::Users, users),
            products: Index::new(client.clone(), Kind::Products, products),
            client,
        };
        let ready = async || {
            search.users.ensure().await?;
            search.products.ensure().await?;
            search.ping().await
        };
        let connected = backoff.retry("connecting to the search", ready).await;
        connected.with_context(|| format!("connecting to the search at {variable}"))?;
        Ok(search)
    }

    /// The index of a kind.
    pub fn index_of(&self, kind: Kind) -> &Index {
        match kind {
            Kind::Users => &self.users,
            Kind::Products => &self.products,
        }
    }

    /// Makes events about users found, with their versions; the verdicts are in their order.
    ///
    /// # Errors
    /// If the server cannot be used now.
    pub async fn apply_users(&self, events: &[(&UserEvent, i64)]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let documents = events.iter().map(|(event, version)| document::of_user(event, *version));
        self.users.write(documents.collect()).await
    }

    /// Makes events about products found, with their versions; the verdicts are in their order.
    ///
    /// # Errors
    /// If the server cannot be used now.
    pub async fn apply_products(&self, events: &[(&ProductEvent, i64)]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let documents = events.iter().map(|(event, version)| document::of_product(event, *version));
        self.products.write(documents.collect()).await
    }

    /// A page of what matches a text.
    ///
    /// # Errors
    /// If the server cannot be used now, or failed.
    pub async fn find(&self, kind: Kind, text: &str, limit: usize, after: Option<Cursor>) -> Result<Found, Error> {
        self.index_of(kind).find(text, limit, after).await
    }

    /// What is held of a user, be it only that it was deleted; also what is too new to be found yet.
    ///
    /// # Errors
    /// If the server cannot be used now, or failed.
    pub async fn user(&self, user_id: Uuid) -> Result<Option<Held>, Error> {
        let path = format!("/{}/_doc/{user_id}", self.users.alias());
        let (status, mut answer) = self.client.answer(Method::GET, &path, None).await?;
        match (status, answer["found"].as_bool()) {
            (200, Some(true)) => {}
            (404, Some(false)) => return Ok(None),
            _ => return Err(Error::described(status, &answer["error"])),
        }
        let mut data = answer["_source"].take();
        let document: UserDocument =
            serde_json::from_value(data.clone()).map_err(|error| Error::Unreadable(error.to_string()))?;
        if let Some(data) = data.as_object_mut() {
            data.retain(|field, _| field != "version" && field != "deleted");
        }
        Ok(Some(Held { version: Some(document.stamp.version), deleted: document.stamp.deleted, data }))
    }

    /// Asks the server for a sign of life.
    ///
    /// # Errors
    /// If there was none, or a part of the indexes is missing.
    pub async fn ping(&self) -> Result<(), Error> {
        let path = format!("/_cluster/health/{},{}?timeout=1s", self.users.alias(), self.products.alias());
        let health = self.client.request(Method::GET, &path, None).await?;
        match health["status"].as_str() {
            Some("green" | "yellow") => Ok(()),
            status => Err(Error::NoAnswer(format!("the indexes' health is {}", status.unwrap_or("not known")))),
        }
    }
}
