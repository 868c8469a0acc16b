//! The services, each asked for its own health.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow, bail};
use contracts::registry::{InstanceStatus, Services};
use futures_util::future::join_all;
use reqwest::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Answer, Finding, LIMIT, State, ask};
use crate::api::told;
use crate::args::{BaseUrl, DoctorArgs};
use crate::failure::Failure;

/// Without these Warren is not whole.
const CORE: [&str; 6] = ["producer", "consumer", "owners", "products", "orders", "payments"];

/// No answer is longer.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// What `/health` answers.
#[derive(Debug, Deserialize)]
struct Health {
    status: String,
    version: String,
    #[serde(default)]
    dependencies: BTreeMap<String, Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    status: String,
    last_error: Option<String>,
}

/// Somebody to ask.
struct Asked {
    service: String,
    url: BaseUrl,
    known: Known,
}

/// What the registry holds of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// Callers get it, or it needs no registry.
    Well,
    /// It has not been heard of for a while, and there are others.
    Replaced,
    /// Nothing.
    Not,
}

pub(super) async fn findings(args: &DoctorArgs) -> Result<Vec<Finding>, Failure> {
    let client = Client::builder().no_proxy().timeout(LIMIT).build();
    let client = client.map_err(|error| Failure::Wrong(told(error)))?;
    let places = &args.places;
    let own =
        |service: &str, url: &BaseUrl| Asked { service: service.to_owned(), url: url.clone(), known: Known::Well };
    let entries: Vec<_> =
        places.registry_url.0.iter().map(|url| own("registry", url)).chain([own("gateway", &places.url)]).collect();
    let (entries, registered) =
        tokio::join!(join_all(entries.iter().map(|asked| health(&client, asked))), registered(&client, args));

    let is_known = registered.is_some();
    let mut asked = registered.map(|services| instances(services, &places.url)).unwrap_or_default();
    for told in &places.service_urls.0 {
        // Nobody needs to find these two by the registry.
        let is_entry = ["registry", "gateway"].contains(&&*told.service);
        if !is_entry && asked.iter().all(|asked| asked.service != told.service) {
            let known = if is_known { Known::Not } else { Known::Well };
            asked.push(Asked { service: told.service.clone(), url: told.url.clone(), known });
        }
    }
    let needed = CORE.into_iter().chain(needs_bridge(args).then_some("bridge"));
    let missing = needed.filter(|service| asked.iter().all(|asked| asked.service != *service));
    let missing: Vec<_> = missing.map(|service| nowhere(service, is_known)).collect();
    let mut services = join_all(asked.iter().map(|asked| health(&client, asked))).await;
    services.extend(missing);
    services.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(entries.into_iter().chain(services).collect())
}

fn needs_bridge(args: &DoctorArgs) -> bool {
    args.kafka_brokers().is_some() || args.influxdb_url().is_some()
}

/// Who is registered, as the first registry tells that answers; its own finding tells why none does.
async fn registered(client: &Client, args: &DoctorArgs) -> Option<Services> {
    for registry in &args.places.registry_url.0 {
        if let Ok(services) = get(client, &format!("{registry}/services")).await {
            return Some(services);
        }
    }
    None
}

fn instances(registered: Services, gateway: &BaseUrl) -> Vec<Asked> {
    let mut asked = Vec::new();
    for (service, instances) in registered.services {
        let any_healthy = instances.iter().any(|status| status.healthy);
        for InstanceStatus { instance, healthy, .. } in instances {
            let known = if healthy || !any_healthy { Known::Well } else { Known::Replaced };
            let url = BaseUrl::of(&instance.host, instance.port);
            // It is asked already.
            if !(service == "gateway" && url.to_string() == gateway.to_string()) {
                asked.push(Asked { service: service.clone(), url, known });
            }
        }
    }
    asked
}

fn nowhere(service: &str, registry_answers: bool) -> Finding {
    let problem = if registry_answers {
        "the registry knows no instance of it"
    } else {
        "where it is, is not known: no registry answers"
    };
    Finding {
        name: service.to_owned(),
        address: None,
        state: State::Ill,
        version: None,
        latency_ms: None,
        problem: Some(problem.to_owned()),
        advice: Some(advice(service)),
    }
}

fn advice(service: &str) -> String {
    format!("see whether it runs (`./dev status`; `./dev up` starts it), and what it says (`./dev logs {service}`)")
}

async fn health(client: &Client, asked: &Asked) -> Finding {
    let Asked { service, url, known } = asked;
    let look = async {
        let health: Health = get(client, &format!("{url}/health")).await?;
        let down = health.dependencies.iter().filter(|(_, dependency)| dependency.status != "up");
        let down: Vec<_> = down.map(|(name, dependency)| format!("{name}{}", why(dependency))).collect();
        let down = down.join("; ");
        match (health.status.as_str(), known) {
            ("up", Known::Not) => {
                let lacks = Some("it answers, but the registry knows no instance of it".to_owned());
                Ok(Answer { version: Some(health.version), lacks })
            }
            ("up", _) => Ok(Answer::version(health.version)),
            ("degraded", _) => Ok(Answer { version: Some(health.version), lacks: Some(format!("it lacks {down}")) }),
            (status, _) => bail!("it is {status}: {down}"),
        }
    };
    let finding = ask(service, Some(url.to_string()), advice(service), look).await;
    if *known == Known::Replaced && finding.state == State::Ill {
        let problem = "it has gone without a word; the registry gives callers others, and forgets it in a while";
        return Finding { state: State::Degraded, problem: Some(problem.to_owned()), advice: None, ..finding };
    }
    finding
}

fn why(dependency: &Dependency) -> String {
    dependency.last_error.as_deref().map(|error| format!(" ({error})")).unwrap_or_default()
}

/// An answer that says how somebody is, with whatever status; no more of it than that can take.
async fn get<T: DeserializeOwned>(client: &Client, url: &str) -> anyhow::Result<T> {
    let mut answer = client.get(url).send().await.map_err(|error| anyhow!(told(error)))?;
    let (status, mut body) = (answer.status(), Vec::new());
    while let Some(part) = answer.chunk().await.map_err(|error| anyhow!(told(error)))? {
        body.extend_from_slice(&part);
        anyhow::ensure!(body.len() <= MAX_ANSWER, "it answers more than is read");
    }
    serde_json::from_slice(&body).with_context(|| format!("it answers {status} with what is not understood"))
}
