//! `warren doctor`: asks every server and every service how it is, and says what to do about what is not well.

mod address;
mod servers;
mod services;
mod wire;

use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::{Instant, timeout};

use crate::args::DoctorArgs;
use crate::failure::Failure;
use crate::out;

/// How long each of them is given. They are asked at the same time.
const LIMIT: Duration = Duration::from_secs(5);

/// How one of them is.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was asked.
    name: String,
    /// Where it is, without credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<f64>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Well,
    /// It answers, and lacks something that it can do without.
    Degraded,
    Ill,
    /// Nothing names it: Warren does without.
    NotInUse,
}

/// What one of them answers that is well.
#[derive(Debug, Default)]
struct Answer {
    /// If it tells that.
    version: Option<String>,
    /// What it lacks and can do without.
    lacks: Option<String>,
}

impl Answer {
    fn version(version: impl Into<String>) -> Self {
        Self { version: Some(version.into()), lacks: None }
    }
}

pub(crate) async fn run(args: DoctorArgs, json: bool) -> Result<(), Failure> {
    let (servers, services) = tokio::join!(join_all(servers::checks(&args)), services::findings(&args));
    let findings: Vec<Finding> = servers.into_iter().chain(services?).collect();
    if json {
        out::json(&serde_json::json!({ "findings": findings }));
    } else {
        for line in findings.iter().flat_map(told) {
            out::line(&line);
        }
    }
    let ill = findings.iter().filter(|finding| finding.state == State::Ill);
    let ill: Vec<_> = ill.map(|finding| &*finding.name).collect();
    if ill.is_empty() { Ok(()) } else { Err(Failure::Away(format!("not well: {}", ill.join(", ")))) }
}

fn told(finding: &Finding) -> Vec<String> {
    let Finding { name, address, state, version, latency_ms, problem, advice } = finding;
    if let (State::NotInUse, Some(advice)) = (state, advice) {
        return vec![format!("{name:12} not in use            {advice}")];
    }
    let state = match state {
        State::Well => "well",
        State::Degraded => "degraded",
        State::Ill => "ILL",
        State::NotInUse => "not in use",
    };
    let latency = latency_ms.map(|took| format!("{took:.1} ms")).unwrap_or_default();
    let (version, address) = (version.as_deref().unwrap_or_default(), address.as_deref().unwrap_or_default());
    let mut lines = vec![format!("{name:12} {state:10} {latency:>9}  {version:26} {address}").trim_end().to_owned()];
    let further = [("problem", problem), ("to do", advice)];
    lines.extend(further.iter().filter_map(|(label, text)| Some(format!("{:12} {label}: {}", "", text.as_ref()?))));
    lines
}

/// Asks one of them.
async fn ask(
    name: &str,
    address: Option<String>,
    advice: String,
    asked: impl Future<Output = anyhow::Result<Answer>>,
) -> Finding {
    let begun = Instant::now();
    let answer = timeout(LIMIT, asked).await;
    let took = Some(begun.elapsed().as_secs_f64() * 1_000.0);
    let (state, version, latency_ms, problem) = match answer {
        Ok(Ok(Answer { version, lacks: None })) => (State::Well, version, took, None),
        Ok(Ok(Answer { version, lacks })) => (State::Degraded, version, took, lacks),
        Ok(Err(error)) => (State::Ill, None, None, Some(format!("{error:#}"))),
        Err(_) => (State::Ill, None, None, Some(format!("it does not answer within {} s", LIMIT.as_secs()))),
    };
    let advice = problem.is_some().then_some(advice);
    Finding { name: name.to_owned(), address, state, version, latency_ms, problem, advice }
}
