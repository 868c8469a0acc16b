//! Every message that crosses the wire, and Warren's topology. Types and data, no I/O.

pub mod headers;
pub mod messages;
pub mod money;
pub mod orders;
pub mod owners;
pub mod payments;
pub mod products;
pub mod records;
pub mod registry;
pub mod sessions;
pub mod tasks;
pub mod topology;
pub mod users;

pub use money::{Currency, Money};
pub use topology::{COMMANDS, EVENTS, topology};
