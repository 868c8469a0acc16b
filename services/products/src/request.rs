//! What clients send, and what each field may hold.

use contracts::Money;
use garde::{Error, Validate};
use serde::{Deserialize, Serialize};
use service::valid::line;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::product::Details;
use crate::stock::shelf::MOST;

const LONGEST_DESCRIPTION: usize = 5_000;

/// With any number that an order can hold, this still fits into an amount.
const HIGHEST_PRICE: i64 = 1_000_000_000;

/// A product to be created.
#[derive(Clone, Debug, Serialize, Deserialize, Validate, ToSchema)]
pub(crate) struct NewProduct {
    /// Name.
    #[garde(custom(line::<200, _>))]
    #[schema(example = "Teapot", min_length = 1, max_length = 200)]
    name: String,
    /// What it is; may have several lines.
    #[garde(custom(text))]
    #[schema(example = "Holds a litre, pours without dripping.", max_length = 5000)]
    description: String,
    /// What one costs.
    #[garde(custom(affordable))]
    price: Money,
    /// Whose it is.
    #[garde(skip)]
    pub(crate) owner_id: Uuid,
    /// How many there are.
    #[garde(range(min = 0, max = MOST))]
    #[schema(example = 50, minimum = 0, maximum = 1_000_000_000)]
    pub(crate) stock: i64,
}

/// What can be changed of a product.
#[derive(Clone, Debug, Serialize, Deserialize, Validate, ToSchema)]
pub(crate) struct ProductDetails {
    /// Name.
    #[garde(custom(line::<200, _>))]
    #[schema(example = "Teapot", min_length = 1, max_length = 200)]
    name: String,
    /// What it is; may have several lines.
    #[garde(custom(text))]
    #[schema(example = "Holds a litre, pours without dripping.", max_length = 5000)]
    description: String,
    /// What one costs. Orders that were placed before keep their price.
    #[garde(custom(affordable))]
    price: Money,
}

/// A change of the stock.
#[derive(Clone, Copy, Debug, Deserialize, Validate, ToSchema)]
pub(crate) struct StockChange {
    /// How many are added or, below 0, taken away.
    #[garde(range(min = -MOST, max = MOST))]
    #[schema(example = 10, minimum = -1_000_000_000, maximum = 1_000_000_000)]
    pub(crate) change: i64,
}

impl NewProduct {
    pub(crate) fn details(&self) -> Details {
        Details { name: self.name.clone(), description: self.description.clone(), price: self.price }
    }
}

impl From<ProductDetails> for Details {
    fn from(ProductDetails { name, description, price }: ProductDetails) -> Self {
        Self { name, description, price }
    }
}

fn text(value: &str, _: &()) -> garde::Result {
    if value.chars().any(|character| character.is_control() && !"\n\r\t".contains(character)) {
        return Err(Error::new("must not hold control characters other than line breaks and tabs"));
    }
    if value.chars().count() > LONGEST_DESCRIPTION {
        return Err(Error::new(format!("must have at most {LONGEST_DESCRIPTION} characters")));
    }
    Ok(())
}

fn affordable(price: &Money, _: &()) -> garde::Result {
    if (0..=HIGHEST_PRICE).contains(&price.amount) {
        return Ok(());
    }
    Err(Error::new(format!("must have an amount from 0 to {HIGHEST_PRICE}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_may_have_lines() {
        for right in ["", "one\r\n\ttwo", &"é".repeat(5_000)] {
            assert!(text(right, &()).is_ok(), "{right:?}");
        }
        for wrong in ["\0", "\u{1b}[31m", &"é".repeat(5_001)] {
            assert!(text(wrong, &()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_price_is_not_below_nothing() {
        let eur = |amount| Money::new(amount, "EUR".parse().unwrap());
        assert!([0, HIGHEST_PRICE].iter().all(|amount| affordable(&eur(*amount), &()).is_ok()));
        assert!([-1, HIGHEST_PRICE + 1, i64::MAX].iter().all(|amount| affordable(&eur(*amount), &()).is_err()));
        assert!(eur(HIGHEST_PRICE).checked_mul(u32::MAX).is_ok());
    }
}
