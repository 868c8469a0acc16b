//! Brings reservations from one state to the next, step by step.

use std::time::Duration;

use service::{ApiError, ApiResult};
use time::OffsetDateTime;
use uuid::Uuid;

use super::items::Items;
use super::lanes::Lanes;
use super::reservation::{Reservation, Short, State, Step, Wish};
use super::store::Store;
use super::take::Outcome;

/// When a reservation is looked after by somebody else, if who is at it is not heard of again: longer than any call takes.
pub const LOOK_AFTER: Duration = Duration::from_secs(12);

/// How often a step is tried that others come before.
pub(super) const TRIES: usize = 30;

/// What came of a wish to reserve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// All of it is the order's.
    Reserved {
        /// Until when, if it is not sold.
        expires_at: OffsetDateTime,
    },
    /// There is not enough; nothing is held.
    OutOfStock(Short),
}

/// Takes, sells and gives back stock for orders.
///
/// An error leaves things as they are, and so does a process that ends midway: the same call again goes on from there, and so
/// does [`sweep`](Self::sweep).
#[derive(Clone, Debug)]
pub struct Stockroom<S> {
    pub(super) store: S,
    pub(super) lanes: Lanes,
    look_after: Duration,
}

enum Ended {
    Done(Reservation),
    Refused(Reservation),
}

impl<S: Store> Stockroom<S> {
    /// A stockroom whose reservations are [looked after](LOOK_AFTER) by others so long after their last change.
    pub fn new(store: S, lanes: Lanes, look_after: Duration) -> Self {
        Self { store, lanes, look_after }
    }

    /// Reserves all that an order needs, or nothing.
    ///
    /// # Errors
    /// 409 for good, if the order asked for something else before, or what it had was given back.
    pub async fn reserve(&self, order_id: Uuid, items: Items, hold_for: Duration) -> ApiResult<Answer> {
        let now = self.store.now();
        let new = Reservation::new(order_id, items.into_vec(), now + hold_for, now + self.look_after);
        let ended = if self.store.insert(&new).await? {
            self.drive(new, Wish::Reserve).await?
        } else {
            let present = self.join(order_id).await?.ok_or_else(busy)?;
            // One that was released before it reserved anything has no items.
            if !present.items.is_empty() && present.items != new.items {
                return Err(ApiError::conflict("the order has asked for other items before"));
            }
            self.drive(present, Wish::Reserve).await?
        };
        match ended {
            Ended::Done(Reservation { expires_at, .. }) => Ok(Answer::Reserved { expires_at }),
            Ended::Refused(Reservation { short: Some(short), .. }) => Ok(Answer::OutOfStock(short)),
            Ended::Refused(_) => Err(ApiError::conflict("the order's stock was released, or ran out of time")),
        }
    }

    /// Sells what an order has reserved.
    ///
    /// # Errors
    /// 409 for good, if there is nothing reserved.
    pub async fn commit(&self, order_id: Uuid) -> ApiResult<()> {
        let nothing = || ApiError::conflict("nothing is reserved for this order, or no longer");
        let present = self.join(order_id).await?.ok_or_else(nothing)?;
        match self.drive(present, Wish::Commit).await? {
            Ended::Done(_) => Ok(()),
            Ended::Refused(_) => Err(nothing()),
        }
    }

    /// Gives back what an order has reserved. If that is nothing, it never will be anything.
    ///
    /// # Errors
    /// 409 for good, if it is sold.
    pub async fn release(&self, order_id: Uuid) -> ApiResult<()> {
        for _ in 0..TRIES {
            let Some(present) = self.join(order_id).await? else {
                if self.store.insert(&Reservation::never(order_id, self.store.now())).await? {
                    return Ok(());
                }
                continue;
            };
            return match self.drive(present, Wish::Release).await? {
                Ended::Done(_) => Ok(()),
                Ended::Refused(_) => Err(ApiError::conflict("the order's stock is sold")),
            };
        }
        Err(busy())
    }

    /// Finishes a reservation that is due, if nobody else does.
    pub(super) async fn settle(&self, present: Reservation) -> ApiResult<bool> {
        let next = present.looked_after(self.store.now() + self.look_after);
        let is_mine = self.store.replace(&present, &next).await?;
        if is_mine {
            self.drive(next, Wish::Settle).await?;
        }
        Ok(is_mine)
    }

    /// Reads a reservation as somebody who did not insert it.
    async fn join(&self, order_id: Uuid) -> ApiResult<Option<Reservation>> {
        for _ in 0..TRIES {
            let Some(present) = self.store.reservation(order_id).await? else { return Ok(None) };
            if !present.must_be_joined() {
                return Ok(Some(present));
            }
            let next = present.looked_after(self.store.now() + self.look_after);
            if self.store.replace(&present, &next).await? {
                return Ok(Some(next));
            }
        }
        Err(busy())
    }

    /// Takes step after step until there is no more to do.
    async fn drive(&self, mut present: Reservation, wish: Wish) -> ApiResult<Ended> {
        let order_id = present.order_id;
        for _ in 0..TRIES {
            let turned = |state: State| {
                let now = self.store.now();
                present.turned(state, now, now + self.look_after)
            };
            let next = match present.step(wish, self.store.now()) {
                Step::Done => return Ok(Ended::Done(present)),
                Step::Refuse => return Ok(Ended::Refused(present)),
                Step::Become(state) => Some(turned(state)),
                Step::Take => match self.take(&present).await? {
                    Outcome::Done => Some(turned(State::Reserved)),
                    Outcome::Short(short, held) => {
                        let now = self.store.now();
                        Some(present.came_short(short, held, now, now + self.look_after))
                    }
                    Outcome::Overtaken | Outcome::Busy => None,
                },
                Step::Sell => {
                    self.sell(&present).await?;
                    Some(turned(State::Committed))
                }
                Step::GiveBack => {
                    self.give_back(&present).await?;
                    Some(turned(State::Released))
                }
            };
            present = match next {
                Some(next) if self.store.replace(&present, &next).await? => next,
                _ => self.join(order_id).await?.ok_or_else(busy)?,
            };
        }
        Err(busy())
    }
}

pub(super) fn busy() -> ApiError {
    ApiError::unavailable("too many others are at it", Duration::from_secs(1))
}
