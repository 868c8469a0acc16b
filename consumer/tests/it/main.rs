//! The consumer, on real servers.

mod by_hand;
mod converging;
mod dead_letters;
mod everywhere;
mod failing;
mod http;
mod identity;
mod outages;
mod preferences;
mod records;
mod registering;
mod reindex;
mod requests;
mod search;
mod search_quality;
mod searching;
mod settings;
mod smtp;
mod stand_ins;
mod stopping;
mod support;
mod texts;
mod users;
mod welcome;
