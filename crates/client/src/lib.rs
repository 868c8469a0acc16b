//! Calls between services: discovery, load balancing, retries, time limits, circuit breakers.
//!
//! [`Registration`] tells the registry that a program is there. [`Services`] is the one way out to other programs: it knows
//! their instances, chooses one for each [`Call`], and repeats what is safe to repeat. [`ServiceClient`] does so with JSON, and the module `grpc` (a feature) by gRPC.

mod args;
mod backoff;
mod balance;
mod body;
mod breaker;
mod call;
mod discovery;
#[cfg(feature = "grpc")]
pub mod grpc;
mod headers;
mod instance;
mod meters;
mod registration;
mod registry;
mod report;
mod service_client;
mod services;
mod transport;

pub use args::{Balancing, BaseUrl, BaseUrls, CallArgs, RegistryArgs, ServiceUrls};
pub use call::{Answer, Call, CallBody, CallError};
pub use registration::Registration;
pub use report::{BreakerState, InstanceReport};
pub use service_client::{ServiceCall, ServiceClient, ServiceError};
pub use services::Services;
