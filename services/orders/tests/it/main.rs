//! Orders on real servers, with a shop and payments that do as the test says.

mod answered;
mod away;
mod cache;
mod cancelling;
mod crashing;
mod following;
mod grpc;
mod idempotency;
mod openapi;
mod ordering;
mod payments;
mod reading;
mod replaying;
mod settings;
mod shop;
mod support;
mod tokens;
mod watching;
