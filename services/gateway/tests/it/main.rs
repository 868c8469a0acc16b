//! The gateway between real clients and services that the tests play.

mod balancing;
mod cors;
mod dashboard;
mod identity;
mod limiting;
mod logging;
mod openapi;
mod outages;
mod refusing;
mod registered;
mod routing;
mod settings;
mod streaming;
mod stub;
mod support;
mod system;
mod tokens;
mod tunnels;
mod wire;
