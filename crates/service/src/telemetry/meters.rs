//! The process's metrics, kept for Prometheus to fetch.

use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

static RECORDED: OnceLock<PrometheusHandle> = OnceLock::new();

/// From half a millisecond, a group commit, to the half minute a request may take.
const SECONDS: [f64; 15] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Batches and windows.
const SIZES: [f64; 11] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 5_000.0];

const BYTES: [f64; 7] = [256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0];

pub(super) fn recorded() -> Option<&'static PrometheusHandle> {
    RECORDED.get()
}

/// Installs the recorder; `None` if that was done before.
pub(super) fn install() -> anyhow::Result<Option<Upkeep>> {
    if RECORDED.get().is_some() {
        return Ok(None);
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_size".into()), &SIZES)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".into()), &BYTES)?
        .install_recorder()
        .context("installing the metrics")?;
    let upkeep = Upkeep::start(RECORDED.get_or_init(|| handle))?;
    Ok(Some(upkeep))
}

/// Folds observations into their histograms now and then: unfetched ones would pile up otherwise.
#[derive(Debug)]
pub(super) struct Upkeep {
    _ends_when_dropped: Sender<()>,
}

impl Upkeep {
    fn start(recorded: &'static PrometheusHandle) -> anyhow::Result<Self> {
        let (sender, receiver) = channel::<()>();
        std::thread::Builder::new()
            .name("metrics".into())
            .spawn(move || {
                while receiver.recv_timeout(Duration::from_secs(5)) == Err(RecvTimeoutError::Timeout) {
                    recorded.run_upkeep();
                }
            })
            .context("starting the metrics thread")?;
        Ok(Self { _ends_when_dropped: sender })
    }
}
