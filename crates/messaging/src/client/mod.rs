//! What talks to a broker.

mod answer;
mod backoff;
mod broker;
mod consumer;
mod consumer_status;
mod declare;
mod handler;
mod line;
mod link;
mod pause;
mod publisher;
mod publishing_channel;
mod request;
mod settle;
mod trace;
mod watch;
pub(crate) mod wire;

pub use answer::{Answer, Answering};
pub use backoff::Backoff;
pub use broker::{Broker, BrokerStatus, Settings};
pub use consumer::Consumer;
pub use consumer_status::ConsumerStatus;
pub use declare::DeclareError;
pub use handler::{Each, Handle, HandleBatch, Observe, Report, Settled};
#[cfg(any(feature = "documents", feature = "outbox"))]
pub(crate) use line::{Line, Lines};
pub use link::ConnectError;
pub use publisher::{Outcome, Publisher};
pub use request::{Reply, RequestError, Requester};
pub use watch::{Passing, Watch};
