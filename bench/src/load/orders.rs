//! Orders: each is placed with a key of its own, and its request is answered when it has ended.

use std::sync::Arc;

use anyhow::{Context, ensure};
use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");
/// As long as the service may hold an answer; the load gives up earlier.
const UNTIL_THE_END: HeaderValue = HeaderValue::from_static("wait=25");

/// Orders of one of a product each, of these products in turn.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    load: String,
    bodies: Arc<[Bytes]>,
    authorization: HeaderValue,
}

/// What is read of an answer.
#[derive(Deserialize)]
struct Ended {
    status: String,
    reason: Option<String>,
}

impl Orders {
    pub(crate) fn new(load: String, products: &[Uuid], token: &str) -> anyhow::Result<Self> {
        ensure!(!products.is_empty(), "there is nothing to order");
        let body = |product_id: &Uuid| json!({ "items": [{ "product_id": product_id, "quantity": 1 }] }).to_string();
        let bodies = products.iter().map(|product_id| body(product_id).into()).collect();
        Ok(Self { load, bodies, authorization: HeaderValue::try_from(format!("Bearer {token}"))? })
    }

    pub(super) fn body(&self, index: u64) -> Bytes {
        self.bodies[index as usize % self.bodies.len()].clone()
    }

    pub(super) fn headers(&self, index: u64) -> [(HeaderName, HeaderValue); 3] {
        let key = HeaderValue::try_from(format!("{}-{index}", self.load)).expect("a load's name is plain text");
        [(AUTHORIZATION, self.authorization.clone()), (PREFER, UNTIL_THE_END), (IDEMPOTENCY_KEY, key)]
    }

    /// An order that was cancelled has ended too, but is not what is measured.
    pub(super) fn confirmed(answer: &[u8]) -> anyhow::Result<()> {
        let Ended { status, reason } = serde_json::from_slice(answer).context("the answer is no order")?;
        let reason = reason.unwrap_or_else(|| "no reason given".to_owned());
        ensure!(status == "confirmed", "an order is {status}: {reason}");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_confirmed_order_counts() {
        Orders::confirmed(br#"{"order_id":"1","status":"confirmed","version":4}"#).unwrap();
        let why = |answer: &[u8]| Orders::confirmed(answer).unwrap_err().to_string();
        assert_eq!(why(br#"{"status":"cancelled","reason":"out of stock"}"#), "an order is cancelled: out of stock");
        assert_eq!(why(br#"{"status":"pending"}"#), "an order is pending: no reason given");
        assert_eq!(why(b"<html>"), "the answer is no order");
    }

    #[test]
    fn orders_are_of_each_product_in_turn_and_have_keys_of_their_own() {
        let products = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let orders = Orders::new("load007".to_owned(), &products, "token").unwrap();
        assert_eq!(orders.body(0), orders.body(2));
        assert_ne!(orders.body(0), orders.body(1));
        assert_ne!(orders.headers(0), orders.headers(2));
    }
}
