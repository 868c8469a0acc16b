//! What a stockroom needs of its store: reads, and writes of one document under a condition.

use std::collections::HashSet;

use service::ApiResult;
use time::OffsetDateTime;
use uuid::Uuid;

use super::reservation::Reservation;
use crate::product::Product;

/// Where reservations and products are. Each of its calls is one step: a process can be killed before and after any of them.
pub trait Store: Send + Sync {
    /// The present time.
    fn now(&self) -> OffsetDateTime;

    /// An order's reservation.
    fn reservation(&self, order_id: Uuid) -> impl Future<Output = ApiResult<Option<Reservation>>> + Send;

    /// Which of these orders' reservations are `Reserving`.
    fn reserving(&self, orders: &[Uuid]) -> impl Future<Output = ApiResult<HashSet<Uuid>>> + Send;

    /// Adds a reservation; false if the order has one already.
    fn insert(&self, new: &Reservation) -> impl Future<Output = ApiResult<bool>> + Send;

    /// Writes what became of a reservation; false if another change came before.
    fn replace(&self, present: &Reservation, next: &Reservation) -> impl Future<Output = ApiResult<bool>> + Send;

    /// Some of the reservations that somebody has to look after now.
    fn due(&self) -> impl Future<Output = ApiResult<Vec<Reservation>>> + Send;

    /// A product, be it deleted.
    fn product(&self, product_id: Uuid) -> impl Future<Output = ApiResult<Option<Product>>> + Send;

    /// Writes what became of a product's stock, with the event that tells of it; false if another change came before.
    fn replace_product(&self, present: &Product, next: &Product) -> impl Future<Output = ApiResult<bool>> + Send;
}
