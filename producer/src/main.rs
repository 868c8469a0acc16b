//! Accepts writes over HTTP, stores them in Postgres, and tells of them through RabbitMQ.

use producer::Config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = service::load();
    let _telemetry = service::telemetry("producer")?;
    let stop = service::stop_on_signal();

    producer::start(config, stop).await?.ended().await
}
