//! `product_search`: makes products searchable.

use contracts::products::ProductEvent;
use messaging::{Delivery, Failure, HandleBatch};

use super::version;
use crate::search::Search;

/// Applies events about products to their index.
#[derive(Debug)]
pub struct FindProducts(pub Search);

impl HandleBatch<ProductEvent> for FindProducts {
    async fn handle_batch(&self, batch: &[Delivery<ProductEvent>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let events: Vec<_> = batch.iter().map(|delivery| (&delivery.payload, version(&delivery.meta))).collect();
        self.0.apply_products(&events).await
    }
}
