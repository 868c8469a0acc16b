//! A real server on a real port, asked by real clients, some of them bad ones.

mod bad_clients;
mod compressed;
#[cfg(all(feature = "postgres", feature = "mysql", feature = "mongodb", feature = "redis"))]
mod connect;
#[cfg(feature = "documents")]
mod documents;
#[cfg(feature = "grpc")]
mod grpc;
mod health;
mod http2;
mod logged;
mod malformed;
mod problems;
mod requests;
mod server;
mod serving;
mod stopping;
mod upgrades;
