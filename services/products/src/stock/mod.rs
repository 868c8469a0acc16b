//! Stock: taken by orders in two steps, all that an order needs or nothing, never more than there is.

mod items;
mod lanes;
mod mongo;
pub mod reservation;
pub mod shelf;
mod stockroom;
mod store;
mod sweep;
mod take;
#[cfg(test)]
mod tests;

pub use items::{Item, Items, MOST_ITEMS};
pub use lanes::Lanes;
pub use mongo::MongoStore;
pub(crate) use mongo::is_duplicate;
pub use stockroom::{Answer, LOOK_AFTER, Stockroom};
pub use store::Store;
