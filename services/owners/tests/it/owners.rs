//! Created, read, changed and deleted.

use serde_json::{Value, json};

use crate::support::{Ask, World, at, grace, path, user};

#[tokio::test]
async fn an_owner_is_created_read_changed_and_deleted() {
    let world = World::new().await;
    let owners = world.owners().await;
    let user = user();

    let created = owners.post(&grace()).by(&user).answer().await.expect(201);
    let owner = created.json();
    assert_eq!((created.header("location"), created.header("etag")), (path(&owner).as_str(), "\"1\""));
    for (field, value) in grace().as_object().unwrap() {
        assert_eq!(&owner[field], value);
    }
    assert_eq!((&owner["version"], &owner["created_by"]), (&json!(1), &json!(user.id)));
    assert_eq!(owner["created_at"], owner["updated_at"]);

    let read = owners.get(&path(&owner)).answer().await.expect(200);
    assert_eq!((read.json(), read.header("etag")), (owner.clone(), "\"1\""));

    let changed = owners.put(&owner, &at("2 Hill Road")).by(&user).answer().await.expect(200);
    assert_eq!(changed.header("etag"), "\"2\"");
    let changed = changed.json();
    assert_eq!((&changed["address"], &changed["version"]), (&json!("2 Hill Road"), &json!(2)));
    assert_eq!(changed["created_at"], owner["created_at"]);
    assert_eq!(owners.get(&path(&owner)).answer().await.expect(200).json(), changed);

    assert_eq!(owners.delete(&owner).by(&user).answer().await.expect(204).body, "");
    owners.get(&path(&owner)).answer().await.expect(404);
    owners.put(&owner, &grace()).by(&user).answer().await.expect(404);
    owners.delete(&owner).by(&user).answer().await.expect(404);
}

#[tokio::test]
async fn each_field_that_is_wrong_is_named() {
    let world = World::new().await;
    let owners = world.owners().await;
    let user = user();
    let owner = owners.created(&user).await;
    let wrong = json!({ "first_name": " ", "last_name": "a\u{0}b", "email": "grace", "address": "x".repeat(501) });
    for request in [owners.post(&wrong), owners.put(&owner, &wrong)] {
        let problem = request.by(&user).answer().await.expect(422).json();
        let mut fields: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
        fields.sort_by_key(|field| field.as_str());
        assert_eq!(fields, ["address", "email", "first_name", "last_name"]);
    }
    let missing = json!({ "first_name": "Grace" });
    owners.post(&missing).by(&user).answer().await.expect(422);
    owners
        .ask("POST", "/v1/owners")
        .body("{")
        .header("content-type", "application/json")
        .by(&user)
        .answer()
        .await
        .expect(400);
    owners.ask("POST", "/v1/owners").body("x").by(&user).answer().await.expect(415);
    assert_eq!(owners.get(&path(&owner)).answer().await.expect(200).json(), owner);
}

#[tokio::test]
async fn what_cannot_be_an_owner_is_not_found() {
    let world = World::new().await;
    let owners = world.owners().await;
    for id in ["0198c5a2-6f6e-7cc3-98b7-8c4e1f7f2b11", "7", "$ne", "%00"] {
        owners.get(&format!("/v1/owners/{id}")).answer().await.expect(404);
    }
    let nobody: Value = json!({ "owner_id": "0198c5a2-6f6e-7cc3-98b7-8c4e1f7f2b11" });
    owners.put(&nobody, &grace()).by(user()).answer().await.expect(404);
}
