//! The producer on a real Postgres and a real RabbitMQ, asked over HTTP.

mod answered;
mod auth;
mod backpressure;
mod faults;
mod idempotency;
mod messages;
mod openapi;
mod reading;
mod reconciling;
mod records;
mod settings;
mod shipped;
mod support;
mod tasks;
mod users;
mod versions;
mod waiting;
