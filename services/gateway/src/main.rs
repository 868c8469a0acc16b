//! The one way in: routes, authenticates, limits and balances what clients ask.

use gateway::Config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config: Config = service::load();
    let _telemetry = service::telemetry("gateway")?;
    let stop = service::stop_on_signal();

    gateway::start(config, stop).await?.ended().await
}
