//! What is told of owners.

use serde_json::json;

use crate::support::{Ask, World, at, id, user};

#[tokio::test]
async fn each_change_is_told_with_the_whole_state_and_its_version() {
    let world = World::new().await;
    let owners = world.owners().await;
    let user = user();
    let created = owners.created(&user).await;
    let change = owners.put(&created, &at("2 Hill Road")).header("x-correlation-id", "job-7").by(&user);
    let updated = change.answer().await.expect(200).json();
    owners.delete(&created).by(&user).answer().await.expect(204);

    let mut told = world.messages(3).await;
    told.sort_by_key(|message| message.headers["x-version"].as_i64());
    let kinds: Vec<_> = told.iter().map(|message| message.routing_key.as_str()).collect();
    assert_eq!(kinds, ["owner.created", "owner.updated", "owner.deleted"]);
    assert_eq!((told[0].json(), told[1].json()), (created.clone(), updated));
    let deleted = told[2].json();
    assert_eq!((&deleted["owner_id"], &deleted["version"]), (&created["owner_id"], &json!(3)));
    assert!(deleted["deleted_at"].is_string() && deleted.get("address").is_none(), "{deleted}");

    assert_eq!(told[1].properties["correlation_id"], "job-7");
    assert_eq!(told[1].properties["app_id"], "owners");
    assert_eq!(told[1].properties["delivery_mode"], 2);
}

#[tokio::test]
async fn what_was_told_lies_in_no_document_any_more() {
    let world = World::new().await;
    let owners = world.owners().await;
    let owner = owners.created(&user()).await;
    assert_eq!(world.events(1).await, [("owner.created".to_owned(), id(&owner).to_owned(), 1)]);
    let documents = world.mongo.database().collection::<mongodb::bson::Document>("owners");
    testkit::eventually("the outbox is empty", || async {
        let document = documents.find_one(mongodb::bson::doc! { "_id": id(&owner) }).await.unwrap().unwrap();
        document.get_array("outbox").unwrap().is_empty().then_some(())
    })
    .await;
}
