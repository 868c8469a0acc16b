//! Removing objects that no product shows: what a crash left between an upload and the change that shows it, or between a change
//! and the removal of what it replaced.
//!
//! Another instance may be about to show what is found here. So the product begins another epoch first, in which that cannot be
//! done any more; it does not take a clock to be safe. The age keeps the sweep from disturbing uploads that are still going on.

use std::collections::HashMap;
use std::time::Duration;

use bson::doc;
use futures_util::{StreamExt, TryStreamExt};
use serde::Deserialize;
use service::documents::{Change, in_time};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Key, Picture, Storage};
use crate::products::Products;

/// How many objects are looked at together.
const BATCH: usize = 500;

/// Removes objects that no product shows.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    pub(crate) storage: Storage,
    pub(crate) products: Products,
    pub(crate) every: Duration,
    pub(crate) age: Duration,
}

#[derive(Debug, Deserialize)]
struct Pictured {
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    id: Uuid,
    #[serde(default)]
    picture: Picture,
}

impl Sweep {
    /// Sweeps now and then, until the stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let sweeping = async {
            loop {
                // Instances that start together do not sweep together.
                tokio::time::sleep(self.every.mul_f64(rand::random_range(0.5..1.0))).await;
                match self.sweep().await {
                    Ok(0) => {}
                    Ok(removed) => tracing::info!(removed, "removed images that no product shows"),
                    Err(error) => tracing::debug!(%error, "images that no product shows are kept for another while"),
                }
            }
        };
        let _ = stop.run_until_cancelled(sweeping).await;
    }

    async fn sweep(&self) -> anyhow::Result<usize> {
        let mut removed = 0;
        let mut batches = self.storage.list().try_chunks(BATCH);
        while let Some(batch) = batches.next().await {
            let old = OffsetDateTime::now_utc() - self.age;
            let keys = batch.map_err(|failed| failed.1)?.into_iter().filter_map(|object| {
                let is_old = object.last_modified.timestamp() <= old.unix_timestamp();
                Key::of(&object.location).filter(|_| is_old)
            });
            let keys: Vec<Key> = keys.collect();
            let pictures = self.pictures(&keys).await?;
            for key in keys {
                let picture = pictures.get(&key.product_id);
                if !picture.is_some_and(|picture| picture.shows(key.id)) && self.give_up(key, picture).await? {
                    self.storage.delete(key).await?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    /// What products show; deleted ones and those that never were have nothing.
    async fn pictures(&self, keys: &[Key]) -> anyhow::Result<HashMap<Uuid, Picture>> {
        let mut ids: Vec<String> = keys.iter().map(|key| key.product_id.to_string()).collect();
        ids.dedup();
        let products = self.products.collection().clone_with_type::<Pictured>();
        let filter = doc! { "_id": { "$in": ids }, "deleted_at": null };
        let found = in_time(async move {
            let found = products.find(filter).projection(doc! { "picture": 1 }).await?;
            found.try_collect::<Vec<_>>().await
        });
        Ok(found.await?.into_iter().map(|product| (product.id, product.picture)).collect())
    }

    /// Makes sure that nobody can show this object any more. Whether that is so.
    async fn give_up(&self, key: Key, picture: Option<&Picture>) -> anyhow::Result<bool> {
        // It was not there, or not shown, when it was read: whoever wants to show it now finds it deleted, or is late.
        let Some(picture) = picture else { return Ok(true) };
        if picture.has_shown(key.id) || key.epoch < picture.epoch {
            return Ok(true);
        }
        let ended = self.products.change(key.product_id, |present| {
            let is_late = present.picture.shows(key.id) || key.epoch < present.picture.epoch;
            Ok((!is_late).then(|| Change::to(present.with_picture(present.picture.in_another_epoch()))))
        });
        match ended.await {
            Ok(product) => Ok(!product.picture.shows(key.id)),
            // It was deleted just now.
            Err(error) if error.status() == 404 => Ok(true),
            Err(error) => Err(anyhow::anyhow!("{error}")),
        }
    }
}
