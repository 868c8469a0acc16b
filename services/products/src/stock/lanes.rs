//! One change of a product at a time in this process, and those who wait for one of its stock, which are made together: changes
//! that are made under a condition would only fail each other.

use std::array;
use std::sync::{Arc, Mutex as Held, MutexGuard as HeldGuard, PoisonError};

use tokio::sync::{Mutex, MutexGuard, oneshot};
use uuid::Uuid;

use super::take::{Act, Outcome};

/// Products that share a lane wait for each other now and then, which does no harm.
const LANES: usize = 64;

/// The most that are changed together.
const MOST: usize = 256;

/// The lanes that changes of products go through. Nobody is in two at the same time. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lanes(Arc<[Lane; LANES]>);

#[derive(Debug, Default)]
struct Lane {
    turn: Mutex<()>,
    askers: Held<Vec<Asker>>,
}

/// An order that asks for something of a product.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) product_id: Uuid,
    pub(super) order_id: Uuid,
    pub(super) act: Act,
    pub(super) answer: oneshot::Sender<Outcome>,
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

    /// Joins those who are answered when somebody has the turn next.
    pub(super) fn join(&self, asker: Asker) {
        self.askers(asker.product_id).push(asker);
    }

    /// Those who ask for something of this product, in the order in which they came. For who has the turn, and answers them.
    pub(super) fn leave(&self, product_id: Uuid) -> Askers<'_> {
        let mut askers = self.askers(product_id);
        // Who has gone will ask again.
        askers.retain(|asker| !asker.answer.is_closed());
        let mut leaving = 0;
        let is_leaving = |asker: &mut Asker| {
            let is_leaving = asker.product_id == product_id && leaving < MOST;
            leaving += usize::from(is_leaving);
            is_leaving
        };
        Askers { lanes: self, product_id, unanswered: askers.extract_if(.., is_leaving).collect() }
    }

    fn askers(&self, product_id: Uuid) -> HeldGuard<'_, Vec<Asker>> {
        self.lane(product_id).askers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lane(&self, product_id: Uuid) -> &Lane {
        &self.0[(product_id.as_u128() % LANES as u128) as usize]
    }
}

/// Those who are answered together. If who has the turn is cut off before that, the others are answered in the next turn.
#[derive(Debug)]
pub(super) struct Askers<'a> {
    lanes: &'a Lanes,
    product_id: Uuid,
    unanswered: Vec<Asker>,
}

impl Askers<'_> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Asker> {
        self.unanswered.iter()
    }

    /// Answers each of them.
    pub(super) fn answer(mut self, outcomes: Vec<Outcome>) {
        for (asker, outcome) in self.unanswered.drain(..).zip(outcomes) {
            // It may have gone meanwhile.
            let _ = asker.answer.send(outcome);
        }
    }

    /// Leaves them without an answer.
    pub(super) fn fail(mut self) {
        self.unanswered.clear();
    }
}

impl Drop for Askers<'_> {
    fn drop(&mut self) {
        self.lanes.askers(self.product_id).append(&mut self.unanswered);
    }
}
