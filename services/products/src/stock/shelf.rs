//! How many there are of one product, and for whom. Nothing here waits or stores.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How many orders may hold some of one product at a time: a document has at most 16 MB, and is written as a whole.
const MOST_HOLDS: usize = 10_000;

/// The most there can be of one product.
pub const MOST: i64 = 1_000_000_000;

/// How many there are of one product. Whatever orders do, `available + reserved + sold` stays the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelf {
    /// How many can be reserved.
    pub available: i64,
    /// How many are held: the sum of the holds.
    pub reserved: i64,
    /// How many were sold.
    pub sold: i64,
    /// Who holds how many.
    pub holds: Vec<Hold>,
}

/// What an order holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The order.
    #[serde(with = "uuid::serde::hyphenated")]
    pub order_id: Uuid,
    /// How many.
    pub quantity: i64,
}

/// Why an order cannot have what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There are only so many.
    Short(i64),
    /// Too many orders hold some at the moment.
    Busy,
}

impl Shelf {
    /// So many, and nobody has any.
    pub fn of(available: i64) -> Self {
        Self { available, ..Self::default() }
    }

    /// Whether this order holds any.
    pub fn is_held_by(&self, order_id: Uuid) -> bool {
        self.holds.iter().any(|hold| hold.order_id == order_id)
    }

    /// After an order, which holds none yet, has taken some.
    ///
    /// # Errors
    /// If there are not enough.
    pub fn taken(&self, order_id: Uuid, quantity: i64) -> Result<Self, Refused> {
        if self.available < quantity {
            return Err(Refused::Short(self.available));
        }
        if self.holds.len() >= MOST_HOLDS {
            return Err(Refused::Busy);
        }
        let mut next = self.clone();
        next.available -= quantity;
        next.reserved += quantity;
        next.holds.push(Hold { order_id, quantity });
        Ok(next)
    }

    /// After an order has given back what it holds; `None` if that is nothing.
    pub fn given_back(&self, order_id: Uuid) -> Option<Self> {
        let (mut next, quantity) = self.without(order_id)?;
        next.available += quantity;
        Some(next)
    }

    /// After an order has bought what it holds; `None` if that is nothing.
    pub fn bought(&self, order_id: Uuid) -> Option<Self> {
        let (mut next, quantity) = self.without(order_id)?;
        next.sold += quantity;
        Some(next)
    }

    /// After so many were added or, below 0, taken away; `None` if that cannot be.
    pub fn changed(&self, by: i64) -> Option<Self> {
        let available = self.available.checked_add(by).filter(|available| (0..=MOST).contains(available))?;
        Some(Self { available, ..self.clone() })
    }

    fn without(&self, order_id: Uuid) -> Option<(Self, i64)> {
        let place = self.holds.iter().position(|hold| hold.order_id == order_id)?;
        let mut next = self.clone();
        let Hold { quantity, .. } = next.holds.swap_remove(place);
        next.reserved -= quantity;
        Some((next, quantity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: Uuid = Uuid::from_u128(1);

    #[test]
    fn what_is_taken_is_given_back_or_bought_once() {
        let held = Shelf::of(5).taken(ORDER, 2).unwrap();
        assert_eq!((held.available, held.reserved, held.sold), (3, 2, 0));
        assert_eq!(held.given_back(ORDER), Some(Shelf::of(5)));
        let bought = held.bought(ORDER).unwrap();
        assert_eq!(bought, Shelf { available: 3, reserved: 0, sold: 2, holds: Vec::new() });
        assert_eq!((bought.bought(ORDER), bought.given_back(ORDER)), (None, None));
    }

    #[test]
    fn no_more_is_taken_than_there_is() {
        assert_eq!(Shelf::of(1).taken(ORDER, 2), Err(Refused::Short(1)));
        assert!(Shelf::of(2).taken(ORDER, 2).is_ok());
        let crowded = (0..MOST_HOLDS as u128).map(|order| Hold { order_id: Uuid::from_u128(order + 2), quantity: 1 });
        let crowded = Shelf { holds: crowded.collect(), ..Shelf::of(1) };
        assert_eq!(crowded.taken(ORDER, 1), Err(Refused::Busy));
    }

    #[test]
    fn stock_is_changed_within_bounds() {
        assert_eq!(Shelf::of(3).changed(-3), Some(Shelf::of(0)));
        for impossible in [-4, MOST, i64::MAX, i64::MIN] {
            assert_eq!(Shelf::of(3).changed(impossible), None, "{impossible}");
        }
    }
}
