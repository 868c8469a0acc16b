//! What the saga asks of products, and what its answers mean to an order.

use std::error::Error;
use std::time::Duration;

use client::CallError;
use client::grpc::GrpcServices;
use proto::v1::product_service_client::ProductServiceClient;
use proto::v1::reserve_stock_response::Outcome;
use proto::v1::{CommitStockRequest, ReleaseStockRequest, ReserveStockRequest, StockItem};
use tonic::{Code, Status};

use crate::order::Order;
use crate::saga::{Call, Input};

/// How much longer than its order a reservation lives, so that a payment at the last moment finds it.
const LONGER: Duration = Duration::from_secs(60);

/// The stock of the products. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Stock {
    services: GrpcServices,
    hold_for: Duration,
}

impl Stock {
    pub(crate) fn new(services: GrpcServices, order_timeout: Duration) -> Self {
        Self { services, hold_for: order_timeout + LONGER }
    }

    /// What products answers; `None` if it does not, and should be asked again.
    pub(crate) async fn ask(&self, call: Call, order: &Order) -> Option<Input> {
        let order_id = order.id.to_string();
        let channel = self.services.channel("products").idempotent().ids(&order_id, &order.correlation_id);
        let mut products = ProductServiceClient::new(channel);
        let answer = match call {
            Call::Reserve => {
                let stock_item = |item: &crate::order::Item| StockItem {
                    product_id: item.product_id.to_string(),
                    quantity: item.quantity,
                };
                let items = order.items.iter().map(stock_item).collect();
                let hold_for = prost_types::Duration::try_from(self.hold_for).ok();
                let answer = products.reserve_stock(ReserveStockRequest { order_id, items, hold_for }).await;
                answer.map(|answer| reserved(answer.into_inner().outcome, order))
            }
            Call::Commit => {
                products.commit_stock(CommitStockRequest { order_id }).await.map(|_| Some(Input::StockSold))
            }
            Call::Release => {
                products.release_stock(ReleaseStockRequest { order_id }).await.map(|_| Some(Input::StockFree))
            }
        };
        answer.unwrap_or_else(|status| refused(call, order, &status))
    }
}

fn reserved(outcome: Option<Outcome>, order: &Order) -> Option<Input> {
    Some(match outcome? {
        Outcome::Reserved(_) => Input::StockReserved,
        Outcome::OutOfStock(short) => {
            let item = order.items.iter().find(|item| item.product_id.to_string() == short.product_id);
            let name = item.map_or(short.product_id.as_str(), |item| item.product.details.name.as_str());
            Input::StockRefused(format!("out of stock: {} of `{name}` are left", short.available))
        }
    })
}

/// What is refused for good ends the order; what is not is asked again.
fn refused(call: Call, order: &Order, status: &Status) -> Option<Input> {
    let order_id = order.id;
    match (call, status.code()) {
        (Call::Reserve, Code::FailedPrecondition) => {
            Some(Input::StockRefused("the reservation of the stock ran out".to_owned()))
        }
        (Call::Reserve, Code::InvalidArgument) => {
            tracing::error!(%order_id, %status, "products refuses what an order asks for");
            Some(Input::StockRefused("the stock cannot be reserved".to_owned()))
        }
        (Call::Commit, Code::FailedPrecondition) => {
            Some(Input::StockLost("the reservation of the stock ran out before it could be sold".to_owned()))
        }
        (Call::Release, Code::FailedPrecondition) => {
            tracing::error!(%order_id, %status, "the stock of an order that was given up is sold; this needs a person");
            None
        }
        // What has made it so was logged, once for all orders.
        _ if was_not_asked(status) => {
            tracing::debug!(%order_id, ?call, %status, "products is not asked now, but will be");
            None
        }
        _ => {
            tracing::warn!(%order_id, ?call, %status, "products was asked in vain, and will be asked again");
            None
        }
    }
}

/// Whether products was left alone because it has not answered lately.
fn was_not_asked(status: &Status) -> bool {
    let error = status.source().and_then(|error| error.downcast_ref());
    matches!(error, Some(CallError::AllOpen { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_left_alone_was_not_asked_and_who_fails_was() {
        let service = || "products".to_owned();
        let left_alone = CallError::AllOpen { service: service(), retry_after: Duration::from_secs(1) };
        assert!(was_not_asked(&left_alone.into()));
        for asked in [CallError::Unreachable { service: service() }, CallError::TimedOut { service: service() }] {
            assert!(!was_not_asked(&asked.into()));
        }
        assert!(!was_not_asked(&Status::unavailable("too many others are at it")));
    }
}
