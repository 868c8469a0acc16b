//! The routes that Warren's predecessors had.

use serde_json::json;

use super::records::seen_everywhere;
use super::unique;
use crate::{Ask, Site};

/// `/insert_record`, `/delete_record`, `/user` and `/` write just as the newer routes do.
pub async fn the_older_routes_do_the_same(site: &Site) {
    let (srn, from_form) = (unique("SRN"), unique("SRN"));
    let record = json!({ "SRN": srn, "Name": "Grace Hopper", "Section": "A" });
    site.post("/insert_record", &json!({ "srn": srn, "name": "Grace Hopper", "section": "A" })).effect().await;
    seen_everywhere(site, &srn, Some(&record)).await;
    let fields = [("SRN", from_form.as_str()), ("Name", "Grace Hopper"), ("Section", "A")];
    site.post_form("/insert_record", &fields).effect().await;
    assert_eq!(site.read(&format!("/records/{from_form}")).answer().await.expect(200).json()["Name"], "Grace Hopper");

    site.get("/delete_record").query(&[("SRN", &srn)]).effect().await;
    seen_everywhere(site, &srn, None).await;
    site.get("/delete_record").query(&[("SRN", &srn)]).answer().await.expect(404);

    let email = format!("{}@example.org", unique("grace"));
    let user = json!({ "name": "Grace Hopper", "email": email, "password": "a long secret" });
    let id = site.post("/user", &user).effect().await.id("user_id");
    assert_eq!(site.read(&format!("/users/{id}")).answer().await.expect(200).json()["email"], email);

    let earlier = site.get("/send").effect().await.id("task_id");
    let task = site.get("/").effect().await.id("task_id");
    let page = site.read(&format!("/messages?limit=200&after={earlier}")).answer().await.expect(200).json();
    let texts = page["messages"].as_array().expect("a page has messages");
    assert!(texts.iter().any(|text| text["id"] == task.to_string()), "{page}");
}
