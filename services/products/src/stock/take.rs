//! What is done to the products of a reservation, one after the other.

use service::ApiResult;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use uuid::Uuid;

use super::items::Item;
use super::lanes::Taker;
use super::reservation::{Reservation, Short};
use super::shelf::{Refused, Shelf};
use super::stockroom::{Stockroom, TRIES, busy};
use super::store::Store;
use crate::product::Product;

/// What came of taking the stock of a reservation.
#[derive(Debug)]
pub(super) enum Taken {
    /// All of it is held.
    All,
    /// There is not enough of a product; so many before it are held.
    Short(Short, usize),
    /// The reservation went over to another state.
    Overtaken,
    /// Too many hold some of a product.
    Busy,
}

impl<S: Store> Stockroom<S> {
    pub(super) async fn take(&self, reservation: &Reservation) -> ApiResult<Taken> {
        for (held, item) in reservation.items.iter().enumerate() {
            match self.take_item(reservation.order_id, item).await? {
                Taken::All => {}
                Taken::Short(short, _) => return Ok(Taken::Short(short, held)),
                other => return Ok(other),
            }
        }
        Ok(Taken::All)
    }

    /// Takes of one product, together with all who want some of it while one of them is at it.
    async fn take_item(&self, order_id: Uuid, item: &Item) -> ApiResult<Taken> {
        let Item { product_id, quantity } = *item;
        let (sender, mut answer) = oneshot::channel();
        self.lanes.join(Taker { product_id, order_id, quantity, answer: sender });
        let _turn = self.lanes.enter(product_id).await;
        loop {
            match answer.try_recv() {
                Err(TryRecvError::Empty) => self.take_together(product_id, self.lanes.leave(product_id)).await?,
                // Who had the turn before has failed.
                Ok(Taken::Busy) | Err(TryRecvError::Closed) => return Err(busy()),
                Ok(taken) => return Ok(taken),
            }
        }
    }

    async fn take_together(&self, product_id: Uuid, takers: Vec<Taker>) -> ApiResult<()> {
        let orders: Vec<Uuid> = takers.iter().map(|taker| taker.order_id).collect();
        for _ in 0..TRIES {
            let product = self.store.product(product_id).await?.filter(Product::is_there);
            // After the product was read: whoever ends a reservation from now on changes the product.
            let reserving = self.store.reserving(&orders).await?;
            let mut stock = product.as_ref().map(|product| product.stock.clone()).unwrap_or_default();
            let mut take = |taker: &Taker| {
                if stock.is_held_by(taker.order_id) {
                    return Taken::All;
                }
                if !reserving.contains(&taker.order_id) {
                    return Taken::Overtaken;
                }
                match stock.taken(taker.order_id, taker.quantity) {
                    Ok(less) => {
                        stock = less;
                        Taken::All
                    }
                    Err(Refused::Short(available)) => Taken::Short(Short { product_id, available }, 0),
                    Err(Refused::Busy) => Taken::Busy,
                }
            };
            let answers: Vec<Taken> = takers.iter().map(&mut take).collect();
            let is_done = match &product {
                Some(product) if product.stock != stock => {
                    self.store.replace_product(product, &product.with_stock(stock)).await?
                }
                _ => true,
            };
            if is_done {
                for (taker, answer) in takers.into_iter().zip(answers) {
                    // Who has gone will be told when asking again.
                    let _ = taker.answer.send(answer);
                }
                return Ok(());
            }
        }
        Err(busy())
    }

    pub(super) async fn sell(&self, reservation: &Reservation) -> ApiResult<()> {
        let order_id = reservation.order_id;
        self.each(reservation, |product| product.stock.bought(order_id)).await
    }

    pub(super) async fn give_back(&self, reservation: &Reservation) -> ApiResult<()> {
        let order_id = reservation.order_id;
        // What somebody else may be about to take must be seen to have changed.
        let touched = |product: &Product| (reservation.shared && product.is_there()).then(|| product.stock.clone());
        self.each(reservation, |product| product.stock.given_back(order_id).or_else(|| touched(product))).await
    }

    /// Changes the stock of each product of a reservation; `None` leaves it.
    async fn each(
        &self,
        reservation: &Reservation,
        decide: impl Fn(&Product) -> Option<Shelf> + Send + Sync,
    ) -> ApiResult<()> {
        for item in &reservation.items {
            self.change(item.product_id, &decide).await?;
        }
        Ok(())
    }

    async fn change(
        &self,
        product_id: Uuid,
        decide: &(impl Fn(&Product) -> Option<Shelf> + Send + Sync),
    ) -> ApiResult<()> {
        let _turn = self.lanes.enter(product_id).await;
        for _ in 0..TRIES {
            let Some(product) = self.store.product(product_id).await? else { return Ok(()) };
            let Some(stock) = decide(&product) else { return Ok(()) };
            if self.store.replace_product(&product, &product.with_stock(stock)).await? {
                return Ok(());
            }
        }
        Err(busy())
    }
}
