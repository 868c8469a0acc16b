//! What is told of products.

use serde_json::json;
use testkit::eventually;
use uuid::Uuid;

use crate::shelves::{Order, is_reserved};
use crate::support::{Ask, World, admin, id, named, user, uuid};

#[tokio::test]
async fn each_change_is_told_with_the_whole_state_and_its_version() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let created = products.created(&user, &world.owners.of(&user), 5).await;
    let change = products.put(&created, &named("Cup")).header("x-correlation-id", "job-7").by(&user);
    change.answer().await.expect(200);
    products.change_stock(&created, -1).by(&user).answer().await.expect(200);
    let (calls, [buyer, quitter]) = (products.calls(), [Uuid::now_v7(), Uuid::now_v7()]);
    assert!(is_reserved(&calls.reserve(buyer, &[(uuid(&created), 1)]).await.unwrap()));
    calls.commit(buyer).await.unwrap();
    assert!(is_reserved(&calls.reserve(quitter, &[(uuid(&created), 3)]).await.unwrap()));
    calls.release(quitter).await.unwrap();
    products.delete(&created).by(&user).answer().await.expect(204);

    let mut told = world.messages(8).await;
    told.sort_by_key(|message| message.headers["x-version"].as_i64());
    let told_of = |field: &str| told.iter().map(|message| message.json()[field].clone()).collect::<Vec<_>>();
    assert_eq!(told_of("version"), (1..=8).map(|version| json!(version)).collect::<Vec<_>>());
    assert_eq!(told_of("stock")[..7], [5, 5, 4, 3, 3, 0, 3].map(|stock| json!(stock)));
    assert_eq!(told_of("reserved")[..7], [0, 0, 0, 1, 0, 3, 0].map(|reserved| json!(reserved)));
    assert_eq!(told_of("sold")[..7], [0, 0, 0, 0, 1, 1, 1].map(|sold| json!(sold)));
    assert_eq!(told[0].json(), created);
    let kinds: Vec<_> = told.iter().map(|message| message.routing_key.as_str()).collect();
    assert_eq!((kinds[0], kinds[7]), ("product.created", "product.deleted"));
    assert!(kinds[1..7].iter().all(|kind| *kind == "product.updated"), "{kinds:?}");
    assert_eq!(told[1].properties["correlation_id"], "job-7");
    assert_eq!(told[1].properties["app_id"], "products");
}

#[tokio::test]
async fn an_admin_has_the_present_state_of_every_product_told_again() {
    let world = World::new().await;
    let products = world.products().await;
    let (user, admin) = (user(), admin());
    let owner = world.owners.of(&user);
    let (kept, deleted) = (products.created(&user, &owner, 5).await, products.created(&user, &owner, 5).await);
    products.change_stock(&kept, 1).by(&user).answer().await.expect(200);
    products.delete(&deleted).by(&user).answer().await.expect(204);
    world.events(4).await;

    products.ask("POST", "/admin/replay").by(&user).answer().await.expect(403);
    let report = products.ask("POST", "/admin/replay").by(&admin).answer().await.expect(200).json();
    assert_eq!(report, json!({ "documents": 2, "confirmed": 2, "failed": 0, "unreadable": 0 }));
    let mut again = world.events(6).await.split_off(4);
    again.sort();
    let wanted = [("product.deleted", &deleted), ("product.updated", &kept)];
    assert_eq!(again, wanted.map(|(kind, product)| (kind.to_owned(), id(product).to_owned(), 2)));
}

#[tokio::test]
async fn what_was_told_lies_in_no_document_any_more() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let product = products.created(&user, &world.owners.of(&user), 5).await;
    world.events(1).await;
    let documents = world.mongo.database().collection::<bson::Document>("products");
    eventually("the outbox is empty", || async {
        let document = documents.find_one(bson::doc! { "_id": id(&product) }).await.unwrap().unwrap();
        document.get_array("outbox").unwrap().is_empty().then_some(())
    })
    .await;
}
