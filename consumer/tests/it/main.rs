//! The consumer, on real servers.

mod by_hand;
mod converging;
mod failing;
mod http;
mod identity;
mod outages;
mod records;
mod registering;
mod requests;
mod settings;
mod stopping;
mod support;
mod texts;
mod users;
