//! Tasks: where a write is, asked for or told.

use serde_json::{Value, json};

use super::unique;
use crate::{Ask, Site};

/// The states of a task that goes well, in their order.
const STATES: [&str; 3] = ["accepted", "published", "done"];

/// A task's events lead to its end, where the task itself says the same.
pub async fn a_task_can_be_followed_to_its_end(site: &Site) {
    let record = json!({ "SRN": unique("SRN"), "Name": "Ada Lovelace", "Section": "B" });
    let accepted = site.post("/records", &record).answer().await.expect(202);
    let task = accepted.id("task_id");
    assert_eq!(accepted.header("location"), format!("/tasks/{task}"));

    let events = site.get(&format!("/tasks/{task}/events")).answer().await.expect(200);
    assert_eq!(events.header("content-type"), "text/event-stream");
    let told = told(&events.body);
    let order: Vec<_> = told.iter().map(|task| STATES.iter().position(|state| task["state"] == *state)).collect();
    assert!(order.is_sorted() && order.iter().all(Option::is_some), "{told:?}");

    let ended = site.get(&format!("/tasks/{task}")).answer().await.expect(200).json();
    assert_eq!(told.last(), Some(&ended));
    assert_eq!((&ended["kind"], &ended["state"]), (&json!("insert_record"), &json!("done")));
    let step = &ended["steps"][0];
    assert_eq!((&step["step"], &step["state"]), (&json!("insert_record"), &json!("done")));
    assert_eq!(step["attempts"], 1);
}

/// The task after each of its changes, as a stream of events tells it.
pub fn told(events: &str) -> Vec<Value> {
    let data = events.lines().filter_map(|line| line.strip_prefix("data:"));
    data.map(|task| serde_json::from_str(task).unwrap_or_else(|error| panic!("no task ({error}): {task}"))).collect()
}
