//! Payments on a real MongoDB and RabbitMQ.

mod by_hand;
mod declined;
mod faults;
mod killed;
mod once;
mod openapi;
mod outages;
mod reading;
mod reordered;
mod settings;
mod support;
