//! Tells which instances of which service run, and where.

use registry::Config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = service::load();
    let _telemetry = service::telemetry("registry")?;
    let stop = service::stop_on_signal();

    registry::start(config, stop).await?.ended().await
}
