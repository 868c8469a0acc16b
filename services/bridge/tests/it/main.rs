//! The bridge between a real RabbitMQ, Kafka and InfluxDB.

mod arriving;
mod draining;
mod influxdb;
mod killed;
mod outages;
mod settings;
mod stopping;
mod stub;
mod support;
mod takeover;
