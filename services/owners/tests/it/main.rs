//! Owners on a real MongoDB and RabbitMQ, asked over HTTP and gRPC.

mod crashing;
mod events;
mod grpc;
mod idempotency;
mod openapi;
mod outages;
mod owners;
mod pages;
mod registered;
mod replaying;
mod settings;
mod support;
mod tokens;
mod versions;
