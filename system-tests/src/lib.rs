//! What a user does with a whole Warren, over HTTP alone: so it is the same for processes and for containers.
//!
//! The tests that start processes and kill them are in `tests/it`; those that run the journeys against the compose file
//! are in `tests/compose`.

pub mod journeys;
mod site;

pub use site::{Answer, Ask, Site};
