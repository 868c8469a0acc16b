//! Records: written through the producer, read through the consumer and, page by page, through the producer again.

use serde_json::{Value, json};

use super::unique;
use crate::{Ask, Site};

/// A record that was inserted is seen everywhere, one that was deleted nowhere, and it may come back.
pub async fn a_record_is_inserted_deleted_and_comes_back(site: &Site) {
    let srn = unique("SRN");
    let first = json!({ "SRN": srn, "Name": "Ada Lovelace", "Section": "B" });
    let accepted = site.post("/records", &first).effect().await;
    assert_eq!(accepted.json()["SRN"], json!(srn));
    assert_eq!(accepted.header("preference-applied"), "wait=30");
    seen_everywhere(site, &srn, Some(&first)).await;

    site.post("/records", &first).answer().await.expect(409);
    site.delete(&format!("/records/{srn}")).effect().await;
    seen_everywhere(site, &srn, None).await;
    site.delete(&format!("/records/{srn}")).answer().await.expect(404);

    let second = json!({ "SRN": srn, "Name": "Ada King", "Section": "C" });
    site.post("/records", &second).effect().await;
    seen_everywhere(site, &srn, Some(&second)).await;
}

/// The record as the consumer has it, in the pages, and in the stream of all; with none it must be in no place.
pub(super) async fn seen_everywhere(site: &Site, srn: &str, expected: Option<&Value>) {
    let alone = site.read(&format!("/records/{srn}")).answer().await;
    assert_eq!(alone.status, if expected.is_some() { 200 } else { 404 }, "{}", alone.body);
    assert_eq!(expected.map(|_| alone.json()).as_ref(), expected);
    assert_eq!(in_pages(site, srn).await.as_ref(), expected);

    let all = site.get("/records").header("accept", "application/x-ndjson").answer().await.expect(200);
    assert_eq!(all.header("content-type"), "application/x-ndjson");
    let mut lines = all.body.lines().map(|line| serde_json::from_str::<Value>(line).expect("every line is JSON"));
    assert_eq!(lines.find(|record| record["SRN"] == srn).as_ref(), expected);
}

async fn in_pages(site: &Site, srn: &str) -> Option<Value> {
    let mut after = String::new();
    loop {
        let page = site.get(&format!("/read_database?limit=1000{after}")).answer().await.expect(200).json();
        let records = page["records"].as_array().expect("a page has records");
        if let Some(found) = records.iter().find(|record| record["SRN"] == srn) {
            return Some(found.clone());
        }
        after = format!("&after={}", page["next"].as_str()?);
    }
}
