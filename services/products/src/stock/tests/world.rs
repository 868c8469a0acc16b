//! A store in memory, and what must hold in it.

use std::collections::{BTreeMap, HashSet};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use contracts::Money;
use service::ApiResult;
use time::OffsetDateTime;
use uuid::Uuid;

use super::product_id;
use crate::product::{Details, Product, Seller};
use crate::stock::Store;
use crate::stock::reservation::{Reservation, State};
use crate::stock::shelf::Shelf;

/// What there is, and how many there must be of each product.
pub(super) struct World {
    pub(super) now: OffsetDateTime,
    pub(super) reservations: BTreeMap<Uuid, Reservation>,
    pub(super) products: BTreeMap<Uuid, Product>,
    pub(super) totals: BTreeMap<Uuid, i64>,
}

impl World {
    pub(super) fn new(stock: &[i64]) -> Self {
        let price = Money::new(1, "EUR".parse().unwrap());
        let details = Details { name: String::new(), description: String::new(), price };
        let nobody = Uuid::nil();
        let seller = Seller { id: nobody, name: String::new(), address: String::new(), version: 1, created_by: nobody };
        let product = |(index, stock): (usize, &i64)| {
            let id = product_id(index);
            (id, Product { id, ..Product::new(details.clone(), seller.clone(), *stock) })
        };
        let totals = stock.iter().enumerate().map(|(index, stock)| (product_id(index), *stock)).collect();
        let products = stock.iter().enumerate().map(product).collect();
        Self { now: OffsetDateTime::UNIX_EPOCH, reservations: BTreeMap::new(), products, totals }
    }

    /// What holds at every moment.
    pub(super) fn check(&self) {
        for (id, Product { stock, .. }) in &self.products {
            let Shelf { available, reserved, sold, holds } = stock;
            assert!(*available >= 0 && *reserved >= 0 && *sold >= 0, "{stock:?}");
            assert_eq!(*reserved, holds.iter().map(|hold| hold.quantity).sum::<i64>(), "{stock:?}");
            assert_eq!(available + reserved + sold, self.totals[id], "{stock:?}");
        }
    }

    /// What holds when all is over.
    pub(super) fn check_end(&self) {
        let mut sold: BTreeMap<Uuid, i64> = BTreeMap::new();
        for reservation in self.reservations.values() {
            assert!(matches!(reservation.state, State::Committed | State::Released), "{reservation:?}");
            for item in reservation.items.iter().filter(|_| reservation.state == State::Committed) {
                *sold.entry(item.product_id).or_default() += item.quantity;
            }
        }
        for (id, product) in &self.products {
            assert_eq!(product.stock.holds, [], "somebody holds stock for ever");
            assert_eq!(product.stock.sold, sold.get(id).copied().unwrap_or_default());
        }
    }
}

/// A store in memory. Each call waits once before it takes effect, so that anything can come between.
#[derive(Clone)]
pub(super) struct Memory(pub(super) Arc<Mutex<World>>);

impl Memory {
    pub(super) async fn step(&self) -> MutexGuard<'_, World> {
        let mut has_waited = false;
        poll_fn(|context| {
            if std::mem::replace(&mut has_waited, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        self.world()
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}

impl Store for Memory {
    fn now(&self) -> OffsetDateTime {
        self.world().now
    }

    async fn reservation(&self, order_id: Uuid) -> ApiResult<Option<Reservation>> {
        Ok(self.step().await.reservations.get(&order_id).cloned())
    }

    async fn reserving(&self, orders: &[Uuid]) -> ApiResult<HashSet<Uuid>> {
        let world = self.step().await;
        let is_reserving =
            |id: &&Uuid| world.reservations.get(*id).is_some_and(|found| found.state == State::Reserving);
        Ok(orders.iter().filter(is_reserving).copied().collect())
    }

    async fn insert(&self, new: &Reservation) -> ApiResult<bool> {
        let mut world = self.step().await;
        let is_new = !world.reservations.contains_key(&new.order_id);
        if is_new {
            world.reservations.insert(new.order_id, new.clone());
        }
        Ok(is_new)
    }

    async fn replace(&self, present: &Reservation, next: &Reservation) -> ApiResult<bool> {
        let mut world = self.step().await;
        let stored = world.reservations.get_mut(&present.order_id).unwrap();
        let is_present = stored.revision == present.revision;
        if is_present {
            *stored = next.clone();
        }
        Ok(is_present)
    }

    async fn due(&self) -> ApiResult<Vec<Reservation>> {
        let world = self.step().await;
        let is_due = |reservation: &&Reservation| reservation.due.is_some_and(|due| due <= world.now);
        Ok(world.reservations.values().filter(is_due).cloned().collect())
    }

    async fn product(&self, product_id: Uuid) -> ApiResult<Option<Product>> {
        Ok(self.step().await.products.get(&product_id).cloned())
    }

    async fn replace_product(&self, present: &Product, next: &Product) -> ApiResult<bool> {
        let mut world = self.step().await;
        let stored = world.products.get_mut(&present.id).unwrap();
        let is_present = stored.version == present.version;
        if is_present {
            *stored = next.clone();
        }
        Ok(is_present)
    }
}
