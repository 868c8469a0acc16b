//! The run: the stage, one measurement after the other, the report.

use std::path::{Path, PathBuf};
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::{Instant, timeout_at};

use crate::args::{Args, Name};
use crate::cpu::Others;
use crate::machine::Machine;
use crate::measure::Bench;
use crate::progress::Progress;
use crate::report::{Report, Section};
use crate::stage::Stage;

/// What the servers take to start, roughly.
const START: Duration = Duration::from_secs(20);

pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let begun = Instant::now();
    let deadline = begun + Duration::from_secs(60 * args.limit);
    let (plan, wanted) = (args.plan(), args.wanted());
    let at = OffsetDateTime::now_utc().format(&Rfc3339)?;
    let mut machine = Machine::look();

    let mut progress = Progress::new(START + wanted.iter().map(|name| plan.expected(*name)).sum::<Duration>());
    progress.part("start", START);
    progress.now("building the programs, starting servers");
    let stage = Stage::start(args).await?;
    machine.sync_ms = stage.sync_floor().await?;
    let others = Others::watch(&stage);
    let mut bench = Bench::new(stage, plan, progress);
    let mut sections = Vec::with_capacity(wanted.len());
    for name in wanted {
        sections.push(section(&mut bench, name, deadline).await);
    }
    machine.others_percent = bench.end(&others);

    let took_seconds = begun.elapsed().as_secs_f64();
    let report = Report { at, mode: plan.mode, machine, sections, took_seconds };
    println!("{}", report.table());
    let path = args.json.clone().unwrap_or_else(|| default_path(&report));
    report.write(&path)?;
    println!("The same as JSON: {}", path.display());
    report.complete()
}

/// A measurement that fails leaves the others their turn.
async fn section(bench: &mut Bench, name: Name, deadline: Instant) -> Section {
    bench.begin(name);
    let lines = match timeout_at(deadline, bench.measure(name)).await {
        Ok(lines) => lines,
        Err(_) => Err(anyhow::anyhow!("no time was left (--limit)")),
    };
    match lines {
        Ok(lines) => Section { name: name.as_str(), lines, failed: None },
        Err(error) => Section { name: name.as_str(), lines: Vec::new(), failed: Some(format!("{error:#}")) },
    }
}

fn default_path(report: &Report) -> PathBuf {
    let stamp: String = report.at.chars().take_while(|c| *c != '.').filter(char::is_ascii_alphanumeric).collect();
    Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(format!("{stamp}-{}.json", report.mode))
}
