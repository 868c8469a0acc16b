//! What every Warren process does alike: configuration, telemetry, health, HTTP, stopping, connecting to stores.
//!
//! A program's `main` reads as a list of these calls:
//!
//! ```no_run
//! # async fn start(router: axum::Router, openapi: utoipa::openapi::OpenApi) -> anyhow::Result<()> {
//! #[derive(clap::Parser)]
//! struct Config {
//!     #[command(flatten)]
//!     http: service::HttpArgs<8081>,
//! }
//!
//! let config: Config = service::load();
//! let _telemetry = service::telemetry("producer")?;
//! let stop = service::stop_on_signal();
//! let health = service::Health::new("producer", env!("CARGO_PKG_VERSION"));
//! let listener = service::listen(config.http.listen).await?;
//! service::serve(listener, service::app(router, health, openapi), stop, config.http.limits()).await
//! # }
//! ```

mod args;
#[cfg(feature = "auth")]
pub mod auth;
mod background;
#[cfg(any(feature = "postgres", feature = "mysql", feature = "mongodb", feature = "redis"))]
pub mod connect;
#[cfg(feature = "documents")]
pub mod documents;
#[cfg(feature = "grpc")]
pub mod grpc;
mod handling;
pub mod health;
pub mod http;
mod redact;
pub mod roles;
mod running;
mod serving;
mod stop;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
mod together;
#[cfg(feature = "valid")]
pub mod valid;

pub use args::{HttpArgs, RetryArgs, load, seconds};
pub use background::Background;
pub use health::{Health, Need};
pub use http::{ApiError, ApiResult, app, listen, serve};
pub use running::Running;
pub use serving::{Serving, background_timeout};
pub use stop::stop_on_signal;
pub use telemetry::{Telemetry, telemetry};
pub use together::Together;
