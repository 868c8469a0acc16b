//! The test servers themselves, and what tests do to them.

mod port;
mod private;
mod private_rabbit;
mod program;
mod proxy;
mod rabbit;
mod shared;
