//! The contract of this library, on a real broker.

mod consuming;
mod declaring;
mod documents;
mod outbox;
mod publishing;
mod requesting;
mod retrying;
mod support;
