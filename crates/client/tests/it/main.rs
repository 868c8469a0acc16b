//! Calls between services over real connections: instances and registry are small servers in the test.

mod backend;
mod balancing;
mod breaking;
mod discovery;
#[cfg(feature = "grpc")]
mod grpc;
mod headers;
mod json;
mod meters;
mod registration;
mod registry;
mod repeating;
mod streams;
mod support;
mod time_limits;
