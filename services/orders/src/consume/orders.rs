//! `orders.events`: tells every process that answers requests which orders have changed.

use contracts::orders::OrderEvent;
use messaging::{Delivery, Failure, HandleBatch};

use super::Tools;
use crate::notices;

pub(super) struct Tell(pub(super) Tools);

impl HandleBatch<OrderEvent> for Tell {
    async fn handle_batch(&self, batch: &[Delivery<OrderEvent>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        notices::tell(&self.0.redis, batch.iter().map(|delivery| delivery.payload.state().order_id)).await;
        Ok(batch.iter().map(|_| Ok(())).collect())
    }
}
