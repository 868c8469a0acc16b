//! Applies tasks and events to the read stores, and serves the reads.

use client::{Registration, Services};
use consumer::config::Config;
use consumer::consumers::Consumers;
use consumer::stores::Stores;
use consumer::{connect_broker, health, router, verifier};
use tokio::runtime::Builder;

fn main() -> anyhow::Result<()> {
    let config: Config = service::load();
    let runtime = Builder::new_multi_thread().worker_threads(config.worker_threads()).enable_all().build()?;
    runtime.block_on(run(config))
}

async fn run(config: Config) -> anyhow::Result<()> {
    let _telemetry = service::telemetry("consumer")?;
    let stop = service::stop_on_signal();
    let verifier = verifier(&config)?;
    let services = Services::start(&config.registry, &config.calls, "consumer", &stop)?;
    let listener = service::listen(config.http.listen).await?;

    let connecting = async { tokio::try_join!(Stores::connect(&config), connect_broker(&config)) };
    let Some(connected) = stop.run_until_cancelled(connecting).await else { return Ok(()) };
    let (stores, broker) = connected?;

    let consumers = Consumers::start(&config, &broker, &stores, &stop)?;
    let health = health(&broker, &stores, &consumers);
    let (router, openapi) = router(&broker, stores, services, health.clone(), verifier, &stop);
    let app = service::app(router, health.clone(), openapi);

    let (name, version, address) = (config.service(), env!("CARGO_PKG_VERSION"), listener.local_addr()?);
    let left = Registration::start(&config.registry, name, version, address, health.readiness())?.leave_before(stop);

    let served = service::serve(listener, app, left, config.http.limits());
    let (served, finished) = tokio::join!(served, consumers.finish(config.http.stop_timeout));
    broker.close().await;
    served.and(finished)
}
