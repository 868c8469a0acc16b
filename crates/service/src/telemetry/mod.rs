//! Logs, trace ids and metrics of a process, installed once at its start.

mod line;
mod meters;
mod panic;
mod traces;

use std::io::IsTerminal;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use metrics_exporter_prometheus::PrometheusHandle;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

pub use line::{Line, LogFormat};
use meters::Upkeep;

/// Libraries that say too much at `info`; `RUST_LOG` can turn each up again.
const QUIETED: &str = "h2=warn,hyper=warn,hyper_util=warn,lapin=warn,opentelemetry=warn,opentelemetry_sdk=warn,\
                       rustls=warn,sqlx=warn,tower=warn";

/// What logs whole message bodies, and so stays off whatever `RUST_LOG` says.
const SILENCED: &str = "lapin::returned_messages=off";

/// What is logged and how; read from the environment by [`telemetry`].
///
/// A program may flatten it into its configuration so that `--help` names the variables.
#[derive(clap::Args, Clone, Debug)]
pub struct LogArgs {
    /// What is logged: a level, or `target=level` pairs with commas between them.
    #[arg(long = "log", env = "RUST_LOG", default_value = "info")]
    pub filter: String,

    /// Form of the log lines.
    #[arg(long = "log-format", env = "LOG_FORMAT", default_value = "text")]
    pub format: LogFormat,
}

#[derive(Parser)]
struct FromEnvironment {
    #[command(flatten)]
    log: LogArgs,
}

/// Keeps telemetry running; what is buffered is flushed when it is dropped.
#[must_use = "telemetry ends when this is dropped"]
#[derive(Debug)]
pub struct Telemetry {
    tracer: Option<SdkTracerProvider>,
    _upkeep: Option<Upkeep>,
}

/// Installs logging (`RUST_LOG`, `LOG_FORMAT`), trace context, metrics and the panic hook for the whole process.
///
/// A second call in the same process, as in tests, changes nothing.
///
/// # Errors
/// If `RUST_LOG` or `LOG_FORMAT` cannot be understood, or if another library has installed its own.
pub fn telemetry(name: &'static str) -> anyhow::Result<Telemetry> {
    let log = FromEnvironment::try_parse_from([name])
        .map_err(|error| anyhow::anyhow!("LOG_FORMAT: {}", error.render().to_string().trim()))?
        .log;
    let Some(upkeep) = meters::install()? else {
        return Ok(Telemetry { tracer: None, _upkeep: None });
    };

    let tracer = traces::install(name);
    let lines = fmt::layer()
        .event_format(Line(log.format))
        .fmt_fields(Line(log.format))
        .with_ansi(log.format == LogFormat::Text && std::io::stdout().is_terminal())
        .with_writer(std::io::stdout)
        // Spans always pass: at RUST_LOG=warn a warning is to keep its request id.
        .with_filter(filter(&log.filter)?.or(filter_fn(spans).with_max_level_hint(LevelFilter::INFO)));
    tracing_subscriber::registry()
        .with(lines)
        .with(traces::layer(&tracer, name).with_filter(filter_fn(spans).with_max_level_hint(LevelFilter::INFO)))
        .try_init()
        .context("installing the log")?;
    panic::log_panics();
    Ok(Telemetry { tracer: Some(tracer), _upkeep: Some(upkeep) })
}

/// The process's metrics, once [`telemetry`] has installed them.
pub fn recorded() -> Option<&'static PrometheusHandle> {
    meters::recorded()
}

fn spans(metadata: &tracing::Metadata<'_>) -> bool {
    metadata.is_span() && *metadata.level() <= tracing::Level::INFO
}

fn filter(wanted: &str) -> anyhow::Result<EnvFilter> {
    // Of two directives for one target the later wins.
    EnvFilter::builder()
        .parse(format!("{QUIETED},{wanted},{SILENCED}"))
        .with_context(|| format!("RUST_LOG={wanted:?} is not a filter such as `info,producer=debug`"))
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        if let Some(tracer) = self.tracer.take()
            && let Err(error) = tracer.shutdown()
        {
            tracing::debug!(%error, "the last traces were not sent");
        }
    }
}

impl ValueEnum for LogFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Text, Self::Json]
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(match self {
            Self::Text => "text",
            Self::Json => "json",
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_makes_no_sense_names_its_variable() {
        let error = filter("producer=loud").unwrap_err();
        assert!(error.to_string().starts_with("RUST_LOG="), "{error}");
    }

    #[test]
    fn message_bodies_cannot_be_turned_on() {
        let filter = filter("trace,lapin::returned_messages=trace").unwrap();
        assert!(filter.to_string().contains("lapin::returned_messages=off"), "{filter}");
        assert!(!filter.to_string().contains("lapin::returned_messages=trace"), "{filter}");
    }
}
