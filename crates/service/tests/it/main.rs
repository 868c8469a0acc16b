//! A real server on a real port, asked by real clients, some of them bad ones.

mod bad_clients;
mod health;
mod problems;
mod requests;
mod server;
mod stopping;
mod zz_bench;
