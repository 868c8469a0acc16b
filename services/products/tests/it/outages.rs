//! Servers that are away, and the stop.

use testkit::{eventually, proxy};

use crate::support::{Ask, World, path, teapot, user};

#[tokio::test]
async fn without_the_broker_writes_are_accepted_and_told_later() {
    let world = World::new().await;
    let broker = proxy(world.rabbit.url()).await;
    let products = world.products_with(&[&format!("--amqp-url={}", broker.url_for(world.rabbit.url()))]).await;
    let user = user();
    let product = products.created(&user, &world.owners.of(&user), 5).await;
    world.events(1).await;
    broker.cut().await;
    products.change_stock(&product, 1).by(&user).answer().await.expect(200);
    let health = products.get("/health").answer().await.expect(200).json();
    assert_eq!(health["dependencies"]["rabbitmq"]["status"], "down");
    products.get("/ready").answer().await.expect(200);
    broker.restore().await;
    assert_eq!(world.events(2).await[1].2, 2);
}

#[tokio::test]
async fn without_the_database_the_answer_is_503_until_it_is_back() {
    let world = World::new().await;
    let database = proxy(world.mongo.url()).await;
    let products = world.products_with(&[&format!("--mongodb-url={}", database.url_for(world.mongo.url()))]).await;
    let user = user();
    let owner = world.owners.of(&user);
    let product = products.created(&user, &owner, 5).await;
    database.cut().await;
    for request in [
        products.get(&path(&product)),
        products.get("/v1/products?q=tea"),
        products.post(&teapot(&owner, 1)),
        products.change_stock(&product, 1),
    ] {
        let refused = request.by(&user).answer().await.expect(503);
        assert!(!refused.header("retry-after").is_empty());
    }
    assert_eq!(products.get("/health").answer().await.status, 503);
    database.restore().await;
    eventually("products are read again", async || {
        (products.get(&path(&product)).answer().await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_the_owners_only_what_was_created_before_is_answered_again() {
    let world = World::new().await;
    let owners = proxy(&world.owners_at.to_string()).await;
    let products = world.products_with(&[&format!("--grpc-urls=owners=http://127.0.0.1:{}", owners.port())]).await;
    let user = user();
    let owner = world.owners.of(&user);
    let create = |stock| products.post(&teapot(&owner, stock)).header("idempotency-key", "k").by(&user);
    let first = create(1).answer().await.expect(201);
    owners.cut().await;
    let again = create(1).answer().await.expect(201);
    assert_eq!(again.json(), first.json());
    for header in ["location", "etag"] {
        assert_eq!(again.header(header), first.header(header));
    }
    let other = create(2).answer().await.expect(422).json();
    assert_eq!(other["errors"][0]["field"], "Idempotency-Key");
    products.post(&teapot(&owner, 1)).by(&user).answer().await.expect(503);
    world.events(1).await;
}

#[tokio::test]
async fn what_was_written_is_told_before_the_stop() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let owner = world.owners.of(&user);
    for stock in 0..20 {
        products.created(&user, &owner, stock).await;
    }
    products.stop().await;
    assert_eq!(world.events(20).await.len(), 20);
}
