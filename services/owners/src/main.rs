//! Keeps the owners, the shops whose products are sold.

use owners::Config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = service::load();
    let _telemetry = service::telemetry("owners")?;
    let stop = service::stop_on_signal();

    owners::start(config, stop).await?.ended().await
}
