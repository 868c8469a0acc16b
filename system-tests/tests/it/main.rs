//! Whole systems: real processes of every program on real servers, used over HTTP, while things are killed and cut off.

mod audit;
mod broker;
mod edge;
mod everywhere;
mod fuzzing;
mod journeys;
mod kills;
mod leading;
mod load;
mod midway;
mod server;
mod shop;
mod stopping;
mod stores;
mod world;
