//! Reliable messaging over RabbitMQ: what was published is confirmed, what was consumed is done, and what failed is
//! retried, refused or parked with its reason.
//!
//! Without the `client` feature this crate is only the wire types and the [`Topology`]; with it comes everything that
//! talks to a broker, with `outbox` the transactional outbox in Postgres, and with `documents` outgoing messages inside
//! MongoDB documents.
#![doc = include_str!("../README.md")]

mod delivery;
mod failure;
mod message;
mod topology;

pub use delivery::{DecodeError, Delivery, Incoming, Meta, decode_body};
pub use failure::{Failure, FailureKind};
pub use message::{HeaderValue, Headers, Message, Outgoing, header};
pub use topology::{Binding, Exchange, ExchangeKind, Queue, QueueKind, RETRY_LADDER, RetryStep, Topology};

#[cfg(feature = "client")]
mod client;
#[cfg(feature = "client")]
pub use client::*;
#[cfg(feature = "client")]
pub mod dead_letters;

#[cfg(any(feature = "documents", feature = "outbox"))]
mod stall;

#[cfg(feature = "documents")]
pub mod documents;
#[cfg(feature = "outbox")]
pub mod outbox;
