//! The test servers themselves, what tests do to them, and the pages for people.

mod further;
mod leftovers;
mod pages;
mod port;
mod private;
mod private_rabbit;
mod program;
mod proxy;
mod rabbit;
mod shared;
