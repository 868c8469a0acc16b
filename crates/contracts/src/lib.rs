//! Every message that crosses the wire, and Warren's topology. Types and data, no I/O.

pub mod headers;
pub mod messages;
pub mod records;
pub mod tasks;
pub mod topology;
pub mod users;

pub use topology::{COMMANDS, EVENTS, topology};
