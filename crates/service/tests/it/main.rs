//! A real server on a real port, asked by real clients, some of them bad ones.

mod bad_clients;
#[cfg(all(feature = "postgres", feature = "mysql", feature = "mongodb", feature = "redis"))]
mod connect;
mod health;
mod problems;
mod requests;
mod server;
mod stopping;
