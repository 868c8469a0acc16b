//! What an order needs.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most products that one order can have.
pub const MOST_ITEMS: usize = 100;

/// Some of one product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The product.
    #[serde(with = "uuid::serde::hyphenated")]
    pub product_id: Uuid,
    /// How many.
    pub quantity: i64,
}

/// What an order needs: each product once, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Items(Vec<Item>);

impl Items {
    /// What these make.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(items: impl IntoIterator<Item = (Uuid, u32)>) -> Result<Self, &'static str> {
        let item = |(product_id, quantity): (Uuid, u32)| Item { product_id, quantity: quantity.into() };
        let mut items: Vec<Item> = items.into_iter().map(item).collect();
        items.sort_unstable_by_key(|item| item.product_id);
        if items.is_empty() {
            return Err("`items` must not be empty");
        }
        if items.len() > MOST_ITEMS {
            return Err("`items` must be at most 100");
        }
        if items.iter().any(|item| item.quantity == 0) {
            return Err("`quantity` must be at least 1");
        }
        if items.windows(2).any(|pair| pair[0].product_id == pair[1].product_id) {
            return Err("`items` must name each product once");
        }
        Ok(Self(items))
    }

    /// As a reservation holds them.
    pub fn into_vec(self) -> Vec<Item> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_product_is_needed_once_and_in_one_order() {
        let [a, b] = [1, 2].map(Uuid::from_u128);
        let items = Items::new([(b, 2), (a, 1)]).unwrap().into_vec();
        assert_eq!(items, [Item { product_id: a, quantity: 1 }, Item { product_id: b, quantity: 2 }]);
        assert_eq!(Items::new([(b, 2), (a, 1)]), Items::new([(a, 1), (b, 2)]));
        for wrong in [vec![], vec![(a, 0)], vec![(a, 1), (b, 1), (a, 2)]] {
            assert!(Items::new(wrong.clone()).is_err(), "{wrong:?}");
        }
        let many = |count: u128| Items::new((0..count).map(|id| (Uuid::from_u128(id), 1)));
        assert!(many(100).is_ok() && many(101).is_err());
    }
}
