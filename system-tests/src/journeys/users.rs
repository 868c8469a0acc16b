//! Users: owned by the producer, known to the consumer by events.

use serde_json::json;
use uuid::Uuid;

use super::unique;
use crate::{Ask, Site};

/// A user who was created, changed and deleted is so for the consumer too, and nobody is told the password.
pub async fn a_user_is_created_changed_and_deleted(site: &Site) -> Uuid {
    let (email, password) = (format!("{}@example.org", unique("ada")), unique("password"));
    let user = json!({ "name": "Ada Lovelace", "email": email, "password": password });
    let created = site.post("/users", &user).effect().await;
    let id = created.id("user_id");
    let path = format!("/users/{id}");
    assert!(!created.body.contains(&password));

    let taken = json!({ "name": "Eve", "email": email.to_uppercase(), "password": password });
    site.post("/users", &taken).answer().await.expect(409);

    let here = site.get(&path).answer().await.expect(200);
    let there = site.read(&path).answer().await.expect(200);
    for (answer, field, value) in [(&here, "name", "Ada Lovelace"), (&here, "email", &email), (&there, "email", &email)]
    {
        assert_eq!(answer.json()[field], value, "{}", answer.body);
    }
    assert!(["hit", "miss"].contains(&there.header("x-cache")));
    assert_eq!(site.read(&path).answer().await.header("x-cache"), "hit");
    assert!(!here.body.contains("password") && !there.body.contains("password"));

    let etag = here.header("etag").to_owned();
    site.put(&path, &json!({ "name": "Ada King" })).header("if-match", &etag).effect().await;
    let changed = site.read(&path).answer().await.expect(200).json();
    assert_eq!((&changed["name"], &changed["version"]), (&json!("Ada King"), &json!(2)));
    site.put(&path, &json!({ "name": "Eve" })).header("if-match", &etag).answer().await.expect(412);

    site.delete(&path).effect().await;
    site.get(&path).answer().await.expect(404);
    site.read(&path).answer().await.expect(404);
    id
}
