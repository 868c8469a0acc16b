//! `orders.products`: products in the cache, and in the orders that show them.

use std::collections::HashMap;

use contracts::products::ProductEvent;
use messaging::{Delivery, Failure, HandleBatch};
use redis::RedisError;
use uuid::Uuid;

use super::Tools;
use crate::order::Details;

pub(super) struct Follow(pub(super) Tools);

impl HandleBatch<ProductEvent> for Follow {
    async fn handle_batch(&self, batch: &[Delivery<ProductEvent>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        // Each carries the whole state: the newest makes the others needless. A deletion shows nothing that orders could show.
        let updates = batch.iter().filter(|delivery| matches!(delivery.payload, ProductEvent::Updated(_)));
        for updated in newest(updates).into_values().filter_map(ProductEvent::state) {
            let Tools { orders, known, .. } = &self.0;
            let details = Details::of(updated);
            known.product(orders, updated.product_id, updated.version, &details).await?;
        }
        let changes = batch.iter().filter(|delivery| !matches!(delivery.payload, ProductEvent::Created(_)));
        for event in newest(changes).into_values() {
            self.0.cache.hear(event).await.map_err(not_cached)?;
        }
        Ok(batch.iter().map(|_| Ok(())).collect())
    }
}

/// The newest event about each product.
fn newest<'a>(batch: impl Iterator<Item = &'a Delivery<ProductEvent>>) -> HashMap<Uuid, &'a ProductEvent> {
    let mut newest: HashMap<Uuid, &ProductEvent> = HashMap::new();
    for Delivery { payload: event, .. } in batch {
        let known = newest.entry(event.product_id()).or_insert(event);
        if event.version() > known.version() {
            *known = event;
        }
    }
    newest
}

/// What is out of date must not be there when Redis is back: so this waits for Redis, unless it is the key that is at fault.
fn not_cached(error: RedisError) -> Failure {
    if error.code() == Some("WRONGTYPE") { Failure::retry(error) } else { Failure::unavailable(error) }
}
