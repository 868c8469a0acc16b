//! The producer on a real Postgres and a real RabbitMQ, asked over HTTP.

mod answered;
mod auth;
mod backpressure;
mod erasing;
mod faults;
mod idempotency;
mod messages;
mod openapi;
mod preferences;
mod reading;
mod reconciling;
mod records;
mod rollback;
mod settings;
mod shipped;
mod support;
mod tasks;
mod users;
mod versions;
mod waiting;
