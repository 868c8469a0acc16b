//! The bridge: every event goes on to Kafka, once and in order, and to InfluxDB, as points. Each of the two has a queue of
//! its own, so that one that is down holds up nothing but its own events.

mod config;
mod event;
mod influxdb;
mod kafka;
mod running;

use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};

pub use config::{Config, InfluxdbArgs, KafkaArgs};
pub use running::start;

/// The API's description: nothing is asked of the bridge but how it is.
pub fn openapi() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Warren bridge")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Sends every event on to Kafka and InfluxDB."))
        .build();
    OpenApiBuilder::new().info(info).build()
}
