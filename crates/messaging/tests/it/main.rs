//! The contract of this library, on a real broker.

mod consuming;
mod declaring;
mod outbox;
mod publishing;
mod requesting;
mod retrying;
mod support;
