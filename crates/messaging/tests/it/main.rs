//! The contract of this library, on a real broker.

mod consuming;
mod dead_letters;
mod declaring;
mod documents;
mod outbox;
mod publishing;
mod requesting;
mod retrying;
mod support;
mod watching;
