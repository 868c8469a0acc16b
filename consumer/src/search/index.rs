//! The indexes: an alias for each kind, which is searched and written to, with the real index behind it.

use std::fmt;
use std::sync::Arc;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::client::{Client, Error};

/// What can be searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Users.
    Users,
    /// Products.
    Products,
}

impl Kind {
    /// The field with the id.
    pub(super) fn id_field(self) -> &'static str {
        match self {
            Self::Users => "user_id",
            Self::Products => "product_id",
        }
    }

    fn mappings(self) -> &'static str {
        match self {
            Self::Users => include_str!("users.json"),
            Self::Products => include_str!("products.json"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Users => "users",
            Self::Products => "products",
        })
    }
}

/// Which real indexes there are for a kind: those that a write must reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Carriers {
    /// The one that is searched.
    pub(super) current: Option<String>,
    /// The one that is being built to take its place.
    pub(super) next: Option<String>,
}

/// One kind's index. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Index {
    pub(super) client: Client,
    pub(super) kind: Kind,
    pub(super) alias: Arc<str>,
}

impl Index {
    pub(super) fn new(client: Client, kind: Kind, alias: &str) -> Self {
        Self { client, kind, alias: alias.into() }
    }

    /// What it is called.
    pub fn alias(&self) -> &str {
        &self.alias
    }

    /// What its successor is called while it is built.
    pub(super) fn next_alias(&self) -> String {
        format!("{}_next", self.alias)
    }

    /// Creates it if it is missing. Several processes may do so at the same moment: the first index has one name for all.
    pub(super) async fn ensure(&self) -> Result<(), Error> {
        if self.carriers().await?.current.is_some() {
            return Ok(());
        }
        let first = format!("{}-1", self.alias);
        match self.create(&first, &self.alias).await {
            Ok(()) => {}
            Err(error) if error.kind() == "resource_already_exists_exception" => return Ok(()),
            Err(error) => return Err(error),
        }
        tracing::info!(index = first, "an index was created; what is older than it is found after a reindex");
        // Whoever looked before a reindex and creates after it comes too late.
        match self.carriers().await {
            Err(Error::Status { status: 409, .. }) => self.delete(&first).await,
            _ => Ok(()),
        }
    }

    /// Who carries the aliases now. More than one for the same is an error with the status 409.
    pub(super) async fn carriers(&self) -> Result<Carriers, Error> {
        let path = format!("/_alias/{},{}", self.alias, self.next_alias());
        // 404 tells that one of the two is missing, and nevertheless who carries the other.
        let (status, answer) = self.client.answer(Method::GET, &path, None).await?;
        if status != 200 && status != 404 {
            return Err(Error::described(status, &answer["error"]));
        }
        let carries = |alias: &str| -> Result<Option<String>, Error> {
            let indexes = answer.as_object().into_iter().flatten();
            let mut carriers = indexes.filter(|(_, index)| index["aliases"].get(alias).is_some()).map(|(name, _)| name);
            match (carriers.next(), carriers.next()) {
                (Some(one), Some(other)) => Err(Error::Status {
                    status: 409,
                    kind: "two_indexes".to_owned(),
                    reason: format!("`{alias}` is an alias of both `{one}` and `{other}`"),
                }),
                (carrier, _) => Ok(carrier.cloned()),
            }
        };
        Ok(Carriers { current: carries(&self.alias)?, next: carries(&self.next_alias())? })
    }

    /// Creates an index that carries this alias from its first moment on.
    pub(super) async fn create(&self, name: &str, alias: &str) -> Result<(), Error> {
        let file = |text: &str| -> Result<Value, Error> {
            serde_json::from_str(text).map_err(|error| Error::Unreadable(error.to_string()))
        };
        let body = json!({
            "settings": file(include_str!("settings.json"))?,
            "mappings": file(self.kind.mappings())?,
            "aliases": { alias: {} },
        });
        self.client.request(Method::PUT, &format!("/{name}"), Some(&body)).await.map(drop)
    }

    /// A name that no index has had.
    pub(super) fn new_name(&self) -> String {
        format!("{}-{}", self.alias, OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000)
    }

    /// Deletes a real index; one that is not there is fine.
    pub(super) async fn delete(&self, name: &str) -> Result<(), Error> {
        match self.client.request(Method::DELETE, &format!("/{name}"), None).await {
            Err(Error::Status { status: 404, .. }) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Makes all that was written until now be found.
    pub(super) async fn refresh(&self, alias: &str) -> Result<(), Error> {
        self.client.request(Method::POST, &format!("/{alias}/_refresh"), None).await.map(drop)
    }

    /// Puts the new index in the place of the old one, in one step. It fails if somebody else has taken the new one away
    /// meanwhile.
    pub(super) async fn swap(&self, new: &str, old: &str) -> Result<(), Error> {
        let body = json!({ "actions": [
            { "remove": { "index": new, "alias": self.next_alias(), "must_exist": true } },
            { "remove": { "index": old, "alias": &*self.alias, "must_exist": true } },
            { "add": { "index": new, "alias": &*self.alias } },
        ] });
        self.client.request(Method::POST, "/_aliases", Some(&body)).await.map(drop)
    }

    /// Deletes what a reindex that did not come to its end has left behind: its half-built index, or the one that it has
    /// replaced.
    pub(super) async fn clear_remains(&self) -> Result<(), Error> {
        if let Some(next) = self.carriers().await?.next {
            // A swap that is still on its way fails from here on; one that came first makes this fail.
            let remove = json!({ "index": next, "alias": self.next_alias(), "must_exist": true });
            let body = json!({ "actions": [{ "remove": remove }] });
            self.client.request(Method::POST, "/_aliases", Some(&body)).await?;
        }
        let answer = self.client.request(Method::GET, &format!("/{}-*/_alias", self.alias), None).await?;
        for (name, index) in answer.as_object().into_iter().flatten() {
            let number = name.strip_prefix(&*self.alias).and_then(|rest| rest.strip_prefix('-'));
            let ours = number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
            let bare = index["aliases"].as_object().is_some_and(serde_json::Map::is_empty);
            if ours && bare {
                tracing::info!(index = name, "an index that is not in use is deleted");
                self.delete(name).await?;
            }
        }
        Ok(())
    }

    /// How many documents it holds, those of deleted ones included.
    pub(super) async fn count(&self) -> Result<u64, Error> {
        let answer = self.client.request(Method::GET, &format!("/{}/_count", self.alias), None).await?;
        answer["count"].as_u64().ok_or_else(|| Error::Unreadable("it has no count".to_owned()))
    }
}
