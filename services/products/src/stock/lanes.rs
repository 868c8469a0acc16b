//! One change of a product at a time in this process, and those who want to take some of it together: changes that are made
//! under a condition would only fail each other.

use std::array;
use std::sync::{Arc, Mutex as Held, MutexGuard as HeldGuard, PoisonError};

use tokio::sync::{Mutex, MutexGuard, oneshot};
use uuid::Uuid;

use super::take::Taken;

/// Products that share a lane wait for each other now and then, which does no harm.
const LANES: usize = 64;

/// The most that take together.
const MOST: usize = 256;

/// The lanes that changes of products go through. Nobody is in two at the same time. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lanes(Arc<[Lane; LANES]>);

#[derive(Debug, Default)]
struct Lane {
    turn: Mutex<()>,
    takers: Held<Vec<Taker>>,
}

/// Somebody who wants to take some of a product.
#[derive(Debug)]
pub(super) struct Taker {
    pub(super) product_id: Uuid,
    pub(super) order_id: Uuid,
    pub(super) quantity: i64,
    pub(super) answer: oneshot::Sender<Taken>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self(Arc::new(array::from_fn(|_| Lane::default())))
    }
}

impl Lanes {
    /// Waits for one's turn with this product, which lasts as long as the guard.
    pub async fn enter(&self, product_id: Uuid) -> MutexGuard<'_, ()> {
        self.lane(product_id).turn.lock().await
    }

    /// Joins those who take when somebody has the turn next.
    pub(super) fn join(&self, taker: Taker) {
        self.takers(taker.product_id).push(taker);
    }

    /// Those who want to take some of this product. For who has the turn, and answers them.
    pub(super) fn leave(&self, product_id: Uuid) -> Vec<Taker> {
        let mut takers = self.takers(product_id);
        let mut leaving = 0;
        let is_leaving = |taker: &mut Taker| {
            let is_leaving = taker.product_id == product_id && leaving < MOST;
            leaving += usize::from(is_leaving);
            is_leaving
        };
        takers.extract_if(.., is_leaving).collect()
    }

    fn takers(&self, product_id: Uuid) -> HeldGuard<'_, Vec<Taker>> {
        self.lane(product_id).takers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lane(&self, product_id: Uuid) -> &Lane {
        &self.0[(product_id.as_u128() % LANES as u128) as usize]
    }
}
