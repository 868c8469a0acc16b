//! Charges users for their orders, and gives back what was charged in vain.

use payments::Config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = service::load();
    let _telemetry = service::telemetry("payments")?;
    let stop = service::stop_on_signal();

    payments::start(config, stop).await?.ended().await
}
