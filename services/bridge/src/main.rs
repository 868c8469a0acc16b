//! Sends every event on to Kafka and to InfluxDB.

use bridge::Config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = service::load();
    let _telemetry = service::telemetry("bridge")?;
    let stop = service::stop_on_signal();

    bridge::start(config, stop).await?.ended().await
}
