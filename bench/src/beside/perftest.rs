//! What the broker does without Warren: RabbitMQ's own load tool, PerfTest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::measure::queue::{BODY, EXCHANGE, QUEUE, ROUTING_KEY};
use crate::stage::Stage;

const PRODUCERS: usize = 4;
const UNCONFIRMED: usize = 256;
/// Java is slow while it is new: these seconds do not count.
const WARM_UP: usize = 4;

/// What the relay's messages carry beside their body.
const PROPERTIES: &str = "contentType=application/json,messageId=01942f6e-7c1d-7a52-9f3e-2b6d8c4a1e5f,\
    correlationId=01942f6e-7c1d-7a52-9f3e-2b6d8c4a1e5f,type=insert_record,appId=producer,\
    timestamp=2025-01-01T00:00:00Z,x-task-id=01942f6e-7c1d-7a52-9f3e-2b6d8c4a1e5f,x-version=1";

/// What a message carries beside its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Envelope {
    Bare,
    Full,
}

/// PerfTest, as Maven fetched it.
pub(crate) struct PerfTest {
    jars: PathBuf,
}

impl PerfTest {
    /// Has Maven fetch it once. An error says what is missing.
    pub(crate) async fn fetch() -> anyhow::Result<Self> {
        let jars = std::env::current_exe()?.with_file_name("perftest");
        tokio::task::spawn_blocking(move || {
            run(Command::new("java").arg("-version"))?;
            if !has_perftest(&jars) {
                let pom = Path::new(env!("CARGO_MANIFEST_DIR")).join("perftest/pom.xml");
                let mut maven = Command::new("mvn");
                maven.args(["-q", "-B", "-f"]).arg(pom).arg("dependency:copy-dependencies");
                maven.arg(format!("-DoutputDirectory={}", jars.display()));
                run(&mut maven)?;
                ensure!(has_perftest(&jars), "Maven fetched no PerfTest");
            }
            Ok(Self { jars })
        })
        .await?
    }

    /// Confirmed messages per second, into the queue that the relay is measured with; bare ones, or with properties
    /// like those of the relay's.
    pub(crate) async fn rate(&self, stage: &Stage, lasts: Duration, envelope: Envelope) -> anyhow::Result<f64> {
        let mut command = Command::new("java");
        command.arg("-cp").arg(self.jars.join("*")).arg("com.rabbitmq.perf.PerfTest");
        command.args(["--predeclared", "--queue", QUEUE, "--exchange", EXCHANGE, "--routing-key", ROUTING_KEY]);
        command.args(["--type", "direct", "--consumers", "0", "--flag", "persistent", "--flag", "mandatory"]);
        for (name, value) in [("--producers", PRODUCERS), ("--confirm", UNCONFIRMED), ("--size", BODY.len())] {
            command.args([name, &value.to_string()]);
        }
        if envelope == Envelope::Full {
            command.args(["--message-properties", PROPERTIES]);
        }
        command.args(["--time", &lasts.as_secs().to_string(), "--uri", &stage.amqp()]);
        let tool = stage.tool("perftest", command, &stage.folder)?;
        let told = tool.finished(lasts + Duration::from_secs(60)).await?;
        parse(&told).with_context(|| format!("PerfTest told no rate:\n{told}"))
    }
}

fn has_perftest(jars: &Path) -> bool {
    let jars = fs::read_dir(jars).into_iter().flatten().flatten();
    jars.into_iter().any(|jar| jar.file_name().to_string_lossy().starts_with("perf-test-"))
}

/// What it says is kept to itself: it may name where packages come from.
fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let status = status.with_context(|| format!("{name} cannot be run"))?;
    ensure!(status.success(), "{name} failed ({status})");
    Ok(())
}

/// The mean of the seconds after those of the warm-up, but for the last, which may be cut off.
fn parse(told: &str) -> Option<f64> {
    let rates: Vec<f64> = told.lines().filter_map(confirmed).skip(WARM_UP).collect();
    let whole = rates.len().checked_sub(1).filter(|whole| *whole > 0)?;
    Some(rates[..whole].iter().sum::<f64>() / whole as f64)
}

/// Of a line like `id: test-1, time 3.000 s, sent: 9 msg/s, confirmed: 7 msg/s, nacked: 0 msg/s, …`.
fn confirmed(line: &str) -> Option<f64> {
    let rate = line.split(',').find_map(|part| part.trim().strip_prefix("confirmed: "))?;
    rate.strip_suffix(" msg/s")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_whole_seconds_after_the_warm_up() {
        let rates = [1, 2, 3, 4, 100, 200, 7];
        let lines =
            rates.map(|rate| format!("id: t, time 1.000 s, sent: 9 msg/s, confirmed: {rate} msg/s, nacked: 0 msg/s"));
        assert_eq!(parse(&format!("id: t, starting producer #0\n{}", lines.join("\n"))), Some(150.0));
        assert_eq!(parse(&lines[..5].join("\n")), None);
    }
}
