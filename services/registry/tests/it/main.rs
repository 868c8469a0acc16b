//! The registry on a real Redis, asked over HTTP.

mod addresses;
mod bounds;
mod faults;
mod health;
mod instances;
mod logging;
mod openapi;
mod replicas;
mod settings;
mod support;
mod tokens;
mod watching;
