//! Texts, and the question whether a consumer is there.

use super::unique;
use crate::{Ask, Site};

/// A text that was sent is found among the consumer's, after those that were sent before it.
pub async fn a_text_is_stored_in_its_order(site: &Site) {
    let (first, second) = (unique("first"), unique("second & last"));
    let earlier = site.get("/send").query(&[("msg", &first)]).effect().await.id("task_id");
    let later = site.get("/send").query(&[("msg", &second)]).effect().await.id("task_id");
    let page = site.read(&format!("/messages?limit=200&after={earlier}")).answer().await.expect(200).json();
    let texts = page["messages"].as_array().expect("a page has messages");
    let found: Vec<_> = texts.iter().filter(|text| text["message"] == second).collect();
    assert_eq!(found.len(), 1, "{page}");
    assert_eq!(found[0]["id"], later.to_string());
    assert!(texts.iter().all(|text| text["message"] != first));
}

/// A consumer answers through the broker, and says which one it is.
pub async fn a_health_check_is_acknowledged(site: &Site) -> String {
    let said = unique("are you there");
    let answer = site.get("/health_check").query(&[("message", &said)]).answer().await.expect(200).json();
    assert_eq!(answer["message"], said);
    assert!(answer["round_trip_ms"].as_f64().is_some_and(|millis| millis > 0.0), "{answer}");
    let instance = answer["acknowledged_by"].as_str().expect("the one who answers has a name");
    assert!(instance.starts_with("consumer "), "{instance}");
    instance.to_owned()
}
