//! `warren replay`: has services send the present state of all they have again, part by part.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::{Access, Unknown};
use crate::api::Http;
use crate::args::{PlaceArgs, ReplayArgs, What};
use crate::directory;
use crate::failure::Failure;
use crate::out;
use crate::progress;

/// What a service has sent again; by parts, of which each tells where the next begins.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Replayed {
    documents: u64,
    confirmed: u64,
    failed: u64,
    unreadable: u64,
    #[serde(default, skip_serializing)]
    next: Option<Uuid>,
}

pub(crate) async fn run(args: ReplayArgs, json: bool) -> Result<(), Failure> {
    let http = Http::new()?;
    let access = Access::begin(http.clone(), &args.access, Unknown::Refuse).await?;
    let mut replayed = BTreeMap::new();
    let mut failed = Vec::new();
    for &service in services(args.what) {
        match replay(&http, &access, &args.access.places, service).await {
            Ok(report) => {
                if !json {
                    tell(service, &report);
                }
                replayed.insert(service, report);
            }
            // The others can be replayed all the same.
            Err(failure) => {
                out::error(&format!("warren: {service}: {failure}"));
                failed.push(failure);
            }
        }
    }
    if json {
        out::json(&serde_json::json!(replayed));
    }
    let incomplete = replayed.values().any(|report| report.failed + report.unreadable > 0);
    match failed.into_iter().next() {
        Some(failure) if replayed.is_empty() => Err(failure),
        None if !incomplete => Ok(()),
        _ => Err(Failure::Partly("not everything was sent again".to_owned())),
    }
}

fn services(what: What) -> &'static [&'static str] {
    match what {
        What::Owners => &["owners"],
        What::Products => &["products"],
        What::Orders => &["orders"],
        What::Payments => &["payments"],
        What::All => &["owners", "products", "orders", "payments"],
    }
}

async fn replay(http: &Http, access: &Access, places: &PlaceArgs, service: &'static str) -> Result<Replayed, Failure> {
    let url = format!("{}/admin/replay", directory::find(http, places, service).await?);
    let counter = progress::counter(service);
    let mut all = Replayed::default();
    loop {
        let after = all.next;
        let part: Replayed = access.post(&url, |request| request.query(&after.map(|after| [("after", after)]))).await?;
        all = Replayed {
            documents: all.documents + part.documents,
            confirmed: all.confirmed + part.confirmed,
            failed: all.failed + part.failed,
            unreadable: all.unreadable + part.unreadable,
            next: part.next,
        };
        counter.set_position(all.documents);
        if part.next.is_none() {
            counter.finish_and_clear();
            return Ok(all);
        }
        if part.next == after {
            return Err(Failure::Away(format!("{url} gets no further: the broker is too slow")));
        }
    }
}

fn tell(service: &str, report: &Replayed) {
    let Replayed { documents, confirmed, failed, unreadable, .. } = report;
    let mut line = format!("{service}: {confirmed} of {documents} sent again");
    if failed + unreadable > 0 {
        line += &format!("; {failed} were not taken by the broker, {unreadable} could not be read");
    }
    out::line(&line);
}
