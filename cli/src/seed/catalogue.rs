//! Owners and products that look real: of one seed, always the same ones.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use uuid::Uuid;

use super::words::{FIRST_NAMES, LAST_NAMES, MAKINGS, STREETS, THINGS, TOWNS};

/// An owner, as it is posted.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct NewOwner {
    first_name: &'static str,
    last_name: &'static str,
    email: String,
    address: String,
}

/// A product, as it is posted.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct NewProduct {
    name: String,
    description: String,
    price: Price,
    pub(super) owner_id: Uuid,
    stock: u32,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Price {
    amount: i64,
    currency: &'static str,
}

/// A kind of thing that shops sell.
#[derive(Debug)]
pub(super) struct Thing {
    pub(super) name: &'static str,
    /// What it can be made of.
    pub(super) materials: &'static [&'static str],
    pub(super) description: &'static str,
    /// From and to, in whole euros.
    pub(super) euros: (i64, i64),
}

/// Everything of one seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Catalogue {
    seed: u64,
}

impl Catalogue {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }

    pub(super) fn owner(self, number: u32) -> NewOwner {
        let mut rng = self.rng(b'o', number);
        let (first_name, last_name) = (pick(&mut rng, &FIRST_NAMES), pick(&mut rng, &LAST_NAMES));
        let email = format!("{}.{}.{number}@example.com", first_name.to_lowercase(), last_name.to_lowercase());
        let house = rng.random_range(1..120);
        let address = format!("{} {house}, {}", pick(&mut rng, &STREETS), pick(&mut rng, &TOWNS));
        NewOwner { first_name, last_name, email, address }
    }

    /// Which of so many owners has this product.
    pub(super) fn owner_of(self, number: u32, owners: u32) -> u32 {
        self.rng(b'b', number).random_range(0..owners.max(1))
    }

    pub(super) fn product(self, number: u32, owner_id: Uuid) -> NewProduct {
        let mut rng = self.rng(b'p', number);
        // In turn, so that a small shop has many kinds of things.
        let thing = &THINGS[(self.seed as usize).wrapping_add(number as usize) % THINGS.len()];
        let (making, material) = (pick(&mut rng, &MAKINGS), pick(&mut rng, thing.materials));
        // Whole euros, less a little: no sum of such prices is one that the simulated payment provider declines.
        let amount = rng.random_range(thing.euros.0..=thing.euros.1) * 100 - pick(&mut rng, &[0, 10, 50]);
        // Now and then one that is nearly sold out.
        let stock = if number % 12 == 11 { rng.random_range(0..3) } else { rng.random_range(5..200) };
        NewProduct {
            name: format!("{making} {material} {}", thing.name),
            description: format!("{} Made of {material}.", thing.description),
            price: Price { amount, currency: "EUR" },
            owner_id,
            stock,
        }
    }

    /// Each thing has chances of its own: more of them change none of the others.
    fn rng(self, kind: u8, number: u32) -> StdRng {
        let mut seed = [kind; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..12].copy_from_slice(&number.to_le_bytes());
        StdRng::from_seed(seed)
    }
}

fn pick<T: Copy>(rng: &mut StdRng, of: &[T]) -> T {
    *of.choose(rng).expect("the lists are not empty")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn one_seed_gives_one_shop_and_another_gives_another() {
        let shop = |seed| {
            let catalogue = Catalogue::new(seed);
            let products = (0..50).map(move |number| catalogue.product(number, Uuid::nil()));
            ((0..5).map(|number| catalogue.owner(number)).collect::<Vec<_>>(), products.collect::<Vec<_>>())
        };
        assert_eq!(shop(1), shop(1));
        assert_ne!(shop(1), shop(2));
    }

    #[test]
    fn owners_have_addresses_of_their_own_and_every_one_has_products() {
        let catalogue = Catalogue::new(7);
        let emails: BTreeSet<_> = (0..500).map(|number| catalogue.owner(number).email).collect();
        assert_eq!(emails.len(), 500);
        assert!(emails.iter().all(|email| email.is_ascii() && !email.contains(' ')), "{emails:?}");
        let owners: BTreeSet<_> = (0..200).map(|number| catalogue.owner_of(number, 10)).collect();
        assert_eq!(owners.len(), 10);
    }

    #[test]
    fn prices_are_above_zero_and_no_sum_of_them_is_declined() {
        let catalogue = Catalogue::new(3);
        for number in 0..1_000 {
            let price = catalogue.product(number, Uuid::nil()).price.amount;
            assert!(price > 0 && price % 10 == 0, "{price}");
        }
    }
}
