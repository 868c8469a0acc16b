//! What talks to a broker.

mod backoff;
mod broker;
mod consumer;
mod declare;
mod handler;
mod link;
mod publisher;
mod request;
mod settle;
mod trace;
mod wire;

pub use backoff::Backoff;
pub use broker::{Broker, BrokerStatus, Settings};
pub use consumer::{Consumer, ConsumerStatus};
pub use declare::DeclareError;
pub use handler::{Each, Handle, HandleBatch, Observe, Report, Settled};
pub use link::ConnectError;
pub use publisher::{Outcome, Publisher};
pub use request::{Answer, Answering, Reply, RequestError, Requester};
