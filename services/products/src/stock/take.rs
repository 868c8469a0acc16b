//! What is done to the products of a reservation, one after the other; and to one product, for all orders that wait for it.

use std::collections::HashSet;

use service::ApiResult;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use uuid::Uuid;

use super::lanes::{Asker, Askers};
use super::reservation::{Reservation, Short};
use super::shelf::{Refused, Shelf};
use super::stockroom::{Stockroom, TRIES, busy};
use super::store::Store;
use crate::product::Product;

/// What an order asks for of one product.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// To hold so many.
    Take(i64),
    /// To buy what it holds.
    Sell,
    /// To give back what it holds.
    GiveBack {
        /// Whether somebody else may be about to take for it, who must see that the product has changed.
        shared: bool,
    },
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is so.
    Done,
    /// There is not enough of a product; so many before it are held.
    Short(Short, usize),
    /// The reservation went over to another state.
    Overtaken,
    /// Too many hold some of a product.
    Busy,
}

impl<S: Store> Stockroom<S> {
    pub(super) async fn take(&self, reservation: &Reservation) -> ApiResult<Outcome> {
        for (held, item) in reservation.items.iter().enumerate() {
            match self.act(reservation.order_id, item.product_id, Act::Take(item.quantity)).await? {
                Outcome::Done => {}
                Outcome::Short(short, _) => return Ok(Outcome::Short(short, held)),
                other => return Ok(other),
            }
        }
        Ok(Outcome::Done)
    }

    pub(super) async fn sell(&self, reservation: &Reservation) -> ApiResult<()> {
        self.act_on_each(reservation, Act::Sell).await
    }

    pub(super) async fn give_back(&self, reservation: &Reservation) -> ApiResult<()> {
        self.act_on_each(reservation, Act::GiveBack { shared: reservation.shared }).await
    }

    async fn act_on_each(&self, reservation: &Reservation, act: Act) -> ApiResult<()> {
        for item in &reservation.items {
            self.act(reservation.order_id, item.product_id, act).await?;
        }
        Ok(())
    }

    /// Changes one product, together with all who want something of it while one of them is at it.
    async fn act(&self, order_id: Uuid, product_id: Uuid, act: Act) -> ApiResult<Outcome> {
        let (sender, mut answer) = oneshot::channel();
        self.lanes.join(Asker { product_id, order_id, act, answer: sender });
        let _turn = self.lanes.enter(product_id).await;
        loop {
            match answer.try_recv() {
                Err(TryRecvError::Empty) => {
                    let askers = self.lanes.leave(product_id);
                    match self.act_together(product_id, &askers).await {
                        Ok(outcomes) => askers.answer(outcomes),
                        Err(error) => {
                            askers.fail();
                            return Err(error);
                        }
                    }
                }
                // Who had the turn before has failed.
                Ok(Outcome::Busy) | Err(TryRecvError::Closed) => return Err(busy()),
                Ok(outcome) => return Ok(outcome),
            }
        }
    }

    /// What comes of each of them.
    async fn act_together(&self, product_id: Uuid, askers: &Askers<'_>) -> ApiResult<Vec<Outcome>> {
        let takers = askers.iter().filter(|asker| matches!(asker.act, Act::Take(_)));
        let takers: Vec<Uuid> = takers.map(|taker| taker.order_id).collect();
        for _ in 0..TRIES {
            let product = self.store.product(product_id).await?;
            // After the product was read: whoever ends a reservation from now on changes the product.
            let reserving = if takers.is_empty() { HashSet::new() } else { self.store.reserving(&takers).await? };
            let mut draft = Draft::new(product_id, product.as_ref(), reserving);
            let outcomes = askers.iter().map(|asker| draft.act(asker.order_id, asker.act)).collect();
            let is_done = match &product {
                Some(product) if draft.must_be_written => {
                    self.store.replace_product(product, &product.with_stock(draft.stock)).await?
                }
                _ => true,
            };
            if is_done {
                return Ok(outcomes);
            }
        }
        Err(busy())
    }
}

/// What becomes of the stock of a product while one order after the other acts on it.
struct Draft {
    product_id: Uuid,
    /// Whether it can be taken: of a deleted product what is held is still sold or given back.
    is_there: bool,
    reserving: HashSet<Uuid>,
    stock: Shelf,
    must_be_written: bool,
}

impl Draft {
    fn new(product_id: Uuid, product: Option<&Product>, reserving: HashSet<Uuid>) -> Self {
        let stock = product.map(|product| product.stock.clone()).unwrap_or_default();
        let is_there = product.is_some_and(Product::is_there);
        Self { product_id, is_there, reserving, stock, must_be_written: false }
    }

    fn act(&mut self, order_id: Uuid, act: Act) -> Outcome {
        let next = match act {
            Act::Take(quantity) => match self.taken(order_id, quantity) {
                Ok(next) => next,
                Err(refused) => return refused,
            },
            Act::Sell => self.stock.bought(order_id),
            Act::GiveBack { shared } => {
                self.must_be_written |= shared && self.is_there;
                self.stock.given_back(order_id)
            }
        };
        if let Some(next) = next {
            (self.stock, self.must_be_written) = (next, true);
        }
        Outcome::Done
    }

    /// `None` if the order has taken it before.
    fn taken(&self, order_id: Uuid, quantity: i64) -> Result<Option<Shelf>, Outcome> {
        if self.is_there && self.stock.is_held_by(order_id) {
            return Ok(None);
        }
        if !self.reserving.contains(&order_id) {
            return Err(Outcome::Overtaken);
        }
        let short = |available| Outcome::Short(Short { product_id: self.product_id, available }, 0);
        if !self.is_there {
            return Err(short(0));
        }
        self.stock.taken(order_id, quantity).map(Some).map_err(|refused| match refused {
            Refused::Short(available) => short(available),
            Refused::Busy => Outcome::Busy,
        })
    }
}
