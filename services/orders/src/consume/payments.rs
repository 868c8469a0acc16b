//! `orders.payments`: what became of the payments of orders.

use contracts::payments::PaymentEvent;
use futures_util::{StreamExt, stream};
use messaging::{Delivery, Failure, Handle, HandleBatch};

use super::{Tools, unless_away};
use crate::saga::Input;

/// How many orders of a batch are told at the same time.
const AT_ONCE: usize = 32;

pub(super) struct Hear(pub(super) Tools);

impl HandleBatch<PaymentEvent> for Hear {
    async fn handle_batch(&self, batch: &[Delivery<PaymentEvent>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let mut handling = Vec::with_capacity(batch.len());
        for delivery in batch {
            handling.push(self.handle(delivery));
        }
        let verdicts: Vec<_> = stream::iter(handling).buffered(AT_ONCE).collect().await;
        unless_away(verdicts)
    }
}

impl Handle<PaymentEvent> for Hear {
    async fn handle(&self, Delivery { payload: event, .. }: &Delivery<PaymentEvent>) -> Result<(), Failure> {
        let payment = event.state();
        let input = match event {
            PaymentEvent::Completed(_) => Input::PaymentCompleted,
            PaymentEvent::Failed(_) => {
                let reason = payment.reason.as_deref().unwrap_or("declined");
                Input::PaymentFailed(format!("payment failed: {reason}"))
            }
            PaymentEvent::Refunded(_) => Input::PaymentRefunded,
        };
        let Tools { orders, runner, .. } = &self.0;
        let order = orders.documents.find(payment.order_id).await?;
        // An order is stored before it is paid for: somebody has to look at this.
        let order = order.ok_or_else(|| Failure::reject(format!("there is no order {}", payment.order_id)))?;
        let order = orders.hear(order, &input).await?;
        runner.wake(&order);
        Ok(())
    }
}
