//! The one way in for clients: it knows which service answers what, lets in whom it may, counts what each client asks,
//! and passes requests and answers on as they come, to whichever instance is well.

mod admit;
mod app;
mod body;
mod config;
mod cors;
mod dashboard;
mod describe;
mod forwarded;
mod headers;
mod limit;
mod location;
mod path;
mod peer;
mod proxy;
mod routes;
mod running;
mod system;
mod timing;
mod tunnel;

pub use app::openapi;
pub use config::{Config, LimitArgs, Origins, TrustedProxies};
pub use running::start;
