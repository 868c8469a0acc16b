//! Products over HTTP.

use serde_json::{Value, json};

use crate::support::{Ask, World, named, path, teapot, user};

#[tokio::test]
async fn a_product_is_created_read_changed_and_deleted() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let owner = world.owners.of(&user);
    let created = products.post(&teapot(&owner, 50)).by(&user).answer().await.expect(201);
    let product = created.json();
    assert_eq!((created.header("location"), created.header("etag")), (path(&product).as_str(), "\"1\""));
    let shown_owner =
        json!({ "owner_id": owner.owner_id, "name": "Grace Hopper", "address": "1 Harbour Street", "version": 1 });
    for (field, value) in [
        ("name", json!("Teapot")),
        ("price", json!({ "amount": 1999, "currency": "EUR" })),
        ("owner", shown_owner),
        ("stock", json!(50)),
        ("reserved", json!(0)),
        ("sold", json!(0)),
        ("version", json!(1)),
    ] {
        assert_eq!(product[field], value, "{field}");
    }
    assert_eq!(products.get(&path(&product)).answer().await.expect(200).json(), product);

    let changed = products.put(&product, &named("Kettle")).by(&user).answer().await.expect(200);
    assert_eq!((&changed.json()["name"], changed.header("etag")), (&json!("Kettle"), "\"2\""));
    let again = products.put(&product, &named("Kettle")).by(&user).answer().await.expect(200).json();
    assert_eq!(again, changed.json(), "the same again is no change");

    products.delete(&product).by(&user).answer().await.expect(204);
    products.get(&path(&product)).answer().await.expect(404);
    for request in
        [products.delete(&product), products.put(&product, &named("Cup")), products.change_stock(&product, 1)]
    {
        request.by(&user).answer().await.expect(404);
    }
}

#[tokio::test]
async fn each_wrong_field_is_named() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let owner = world.owners.of(&user);
    let product = products.created(&user, &owner, 1).await;
    let fields = async |body: &Value| {
        let problem = products.post(body).by(&user).answer().await.expect(422).json();
        let errors = problem["errors"].as_array().expect("the fields are named").clone();
        errors.iter().map(|error| error["field"].as_str().expect("by name").to_owned()).collect::<Vec<_>>()
    };
    for (field, wrong) in [
        ("name", json!(" ")),
        ("name", json!("x".repeat(201))),
        ("description", json!("\u{0}")),
        ("description", json!("x".repeat(5_001))),
        ("price", json!({ "amount": -1, "currency": "EUR" })),
        ("stock", json!(-1)),
        ("stock", json!(1_000_000_001)),
        ("stock", json!(1.5)),
        ("owner_id", json!("7")),
    ] {
        let mut body = teapot(&owner, 1);
        body[field] = wrong.clone();
        assert_eq!(fields(&body).await, [field], "{wrong}");
    }
    let mut body = teapot(&owner, 1);
    body["price"]["currency"] = json!("euro");
    assert!(fields(&body).await[0].starts_with("price"));
    let mut both = teapot(&owner, -1);
    both["name"] = json!("");
    assert_eq!(fields(&both).await.len(), 2);
    products.put(&product, &named("\n")).by(&user).answer().await.expect(422);
    products.change_stock(&product, i64::MAX).by(&user).answer().await.expect(422);
}

#[tokio::test]
async fn stock_is_added_and_taken_away_down_to_none() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let product = products.created(&user, &world.owners.of(&user), 5).await;
    let changed = products.change_stock(&product, 7).by(&user).answer().await.expect(200);
    assert_eq!((&changed.json()["stock"], changed.header("etag")), (&json!(12), "\"2\""));
    products.change_stock(&product, -12).by(&user).answer().await.expect(200);
    let problem = products.change_stock(&product, -1).by(&user).answer().await.expect(409).json();
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.starts_with("0 are there")), "{problem}");
    products.change_stock(&product, 1_000_000_000).by(&user).answer().await.expect(200);
    products.change_stock(&product, 1).by(&user).answer().await.expect(409);
    let same = products.change_stock(&product, 0).by(&user).answer().await.expect(200);
    assert_eq!(same.header("etag"), "\"4\"", "nothing was changed");
}

#[tokio::test]
async fn a_change_that_is_meant_for_another_version_is_refused() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let product = products.created(&user, &world.owners.of(&user), 5).await;
    let add = || products.change_stock(&product, 1).header("if-match", "\"1\"").by(&user);
    add().answer().await.expect(200);
    add().answer().await.expect(412);
    for request in [products.put(&product, &named("Cup")), products.delete(&product)] {
        request.header("if-match", "\"1\"").by(&user).answer().await.expect(412);
    }
    assert_eq!(products.stock(&product).await, (6, 0, 0));
    products.delete(&product).header("if-match", "\"2\"").by(&user).answer().await.expect(204);
}

#[tokio::test]
async fn creation_that_is_asked_for_again_takes_effect_once() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let owner = world.owners.of(&user);
    let create = |stock| products.post(&teapot(&owner, stock)).header("idempotency-key", "k").by(&user);
    let first = create(5).answer().await.expect(201);
    let again = create(5).answer().await.expect(201);
    assert_eq!((again.json(), again.header("location")), (first.json(), first.header("location")));
    create(6).answer().await.expect(422);
    let all = products.get("/v1/products").answer().await.expect(200).json();
    assert_eq!(all["products"], json!([first.json()]));
}
