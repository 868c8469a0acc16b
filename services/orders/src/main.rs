//! Takes orders and brings each one to an end.

use orders::Config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = service::load();
    let _telemetry = service::telemetry("orders")?;
    let stop = service::stop_on_signal();

    orders::start(config, stop).await?.ended().await
}
