//! Keeps the products and their stock.

use products::Config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = service::load();
    let _telemetry = service::telemetry("products")?;
    let stop = service::stop_on_signal();

    products::start(config, stop).await?.ended().await
}
