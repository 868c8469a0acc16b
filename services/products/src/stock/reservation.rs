//! The reservation of one order: its states, and what to do next about it. Nothing here waits or stores.
//!
//! ```text
//!               all taken              commit                all sold
//!   Reserving ─────────────▶ Reserved ────────▶ Committing ───────────▶ Committed
//!       │                       │
//!       │ short, released,      │ released,            all given back
//!       │ out of time           │ out of time ──▶ Releasing ───────────▶ Released
//!       └───────────────────────┴─────────────────▶
//! ```
//!
//! The reservation is written first, the products after it: what a state says is what its products are being brought to. So
//! whoever finds a reservation in any state can finish it, and several may do so at once.
//!
//! Two rules keep a process that was asleep from taking stock for an order that has ended:
//!
//! - Who takes stock reads the product, then sees that the reservation is still `Reserving`, and then writes the product only
//!   if it has not changed since it was read.
//! - Who did not insert a reservation that is `Reserving` marks it as shared before doing anything about it. When a shared
//!   reservation is released, products that it holds nothing of are changed too, so that what was read before fails.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use service::documents::instant;
use time::OffsetDateTime;
use uuid::Uuid;

use super::items::Item;

/// How long an ended reservation is remembered: so late may a repeated call come.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3_600);

/// How a reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its stock is being taken.
    Reserving,
    /// Its stock is held.
    Reserved,
    /// Its stock is being sold.
    Committing,
    /// Its stock is sold.
    Committed,
    /// Its stock is being given back.
    Releasing,
    /// It holds nothing, for good.
    Released,
}

/// What is wanted of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// That its stock is held.
    Reserve,
    /// That its stock is sold.
    Commit,
    /// That its stock is free.
    Release,
    /// That it is brought to where it was going, or given back if its time is over.
    Settle,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Take the stock of all its products: then it is `Reserved`, or if there is not enough `Releasing`.
    Take,
    /// Sell what it holds of each product: then it is `Committed`.
    Sell,
    /// Give back what it holds of each product: then it is `Released`.
    GiveBack,
    /// Go over to this state.
    Become(State),
    /// Nothing: it is as it was wanted.
    Done,
    /// Nothing: it will never be as it was wanted.
    Refuse,
}

/// A product that there was not enough of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Short {
    /// The product.
    #[serde(with = "uuid::serde::hyphenated")]
    pub product_id: Uuid,
    /// How many of it there were.
    pub available: i64,
}

/// The reservation of one order, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The order.
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    pub order_id: Uuid,
    /// What it needs, in the order of the products' ids.
    pub items: Vec<Item>,
    /// How it stands.
    pub state: State,
    /// Counts its changes. Each is made under the condition that no other came before.
    pub revision: i64,
    /// When it runs out of time.
    #[serde(with = "instant")]
    pub expires_at: OffsetDateTime,
    /// Whether others than who inserted it may have taken its stock.
    pub shared: bool,
    /// Why it was released, if there was not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short: Option<Short>,
    /// When somebody has to look after it; absent once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "instant::option")]
    pub due: Option<OffsetDateTime>,
    /// When it is forgotten; absent until it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "instant::option")]
    pub forgotten_at: Option<OffsetDateTime>,
}

impl Reservation {
    /// A reservation that has taken nothing yet.
    pub fn new(order_id: Uuid, items: Vec<Item>, expires_at: OffsetDateTime, due: OffsetDateTime) -> Self {
        Self {
            order_id,
            items,
            state: State::Reserving,
            revision: 1,
            expires_at,
            shared: false,
            short: None,
            due: Some(due),
            forgotten_at: None,
        }
    }

    /// What an order leaves that is released before it has reserved anything: it will not.
    pub fn never(order_id: Uuid, now: OffsetDateTime) -> Self {
        let (state, forgotten_at) = (State::Released, Some(now + REMEMBERED));
        Self { state, due: None, forgotten_at, ..Self::new(order_id, Vec::new(), now, now) }
    }

    /// What to do next about a wish.
    pub fn step(&self, wish: Wish, now: OffsetDateTime) -> Step {
        use State::{Committed, Committing, Released, Releasing, Reserved, Reserving};
        let is_over = self.expires_at <= now;
        match (self.state, wish) {
            (Reserving, Wish::Settle) if is_over => Step::Become(Releasing),
            (Reserving, Wish::Reserve | Wish::Commit | Wish::Settle) => Step::Take,
            (Reserving | Reserved, Wish::Release) => Step::Become(Releasing),

            (Reserved, Wish::Reserve) => Step::Done,
            (Reserved, Wish::Commit) => Step::Become(Committing),
            (Reserved, Wish::Settle) if is_over => Step::Become(Releasing),
            (Reserved, Wish::Settle) => Step::Done,

            (Committing | Committed, Wish::Reserve) => Step::Done,
            (Committing | Committed, Wish::Release) => Step::Refuse,
            (Committing, Wish::Commit | Wish::Settle) => Step::Sell,
            (Committed, Wish::Commit | Wish::Settle) => Step::Done,

            (Releasing | Released, Wish::Commit) => Step::Refuse,
            (Releasing, Wish::Reserve | Wish::Release | Wish::Settle) => Step::GiveBack,
            (Released, Wish::Reserve) => Step::Refuse,
            (Released, Wish::Release | Wish::Settle) => Step::Done,
        }
    }

    /// In another state. `look_after` is when somebody else is to go on, should this one not be heard of again.
    pub fn turned(&self, state: State, now: OffsetDateTime, look_after: OffsetDateTime) -> Self {
        let next = Self { state, revision: self.revision + 1, ..self.clone() };
        match state {
            State::Reserved => Self { due: Some(self.expires_at), ..next },
            State::Committed | State::Released => Self { due: None, forgotten_at: Some(now + REMEMBERED), ..next },
            State::Reserving | State::Committing | State::Releasing => Self { due: Some(look_after), ..next },
        }
    }

    /// After there was not enough. One that holds nothing, and that nobody else may be taking stock for, has nothing to give
    /// back.
    pub fn came_short(&self, short: Short, held: usize, now: OffsetDateTime, look_after: OffsetDateTime) -> Self {
        let state = if held == 0 && !self.shared { State::Released } else { State::Releasing };
        Self { short: Some(short), ..self.turned(state, now, look_after) }
    }

    /// Being looked after by somebody who did not insert it.
    pub fn looked_after(&self, look_after: OffsetDateTime) -> Self {
        let shared = self.shared || self.state == State::Reserving;
        Self { shared, due: self.due.map(|_| look_after), revision: self.revision + 1, ..self.clone() }
    }

    /// Whether who did not insert it must say so first.
    pub fn must_be_joined(&self) -> bool {
        self.state == State::Reserving && !self.shared
    }
}
