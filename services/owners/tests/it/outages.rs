//! Servers that are away, and the stop.

use testkit::{eventually, proxy};

use crate::support::{Ask, World, at, grace, path, user};

#[tokio::test]
async fn without_the_broker_writes_are_accepted_and_told_later() {
    let world = World::new().await;
    let broker = proxy(world.rabbit.url()).await;
    let owners = world.owners_with(&[&format!("--amqp-url={}", broker.url_for(world.rabbit.url()))]).await;
    let user = user();
    let owner = owners.created(&user).await;
    world.events(1).await;
    broker.cut().await;
    owners.put(&owner, &at("elsewhere")).by(&user).answer().await.expect(200);
    let health = owners.get("/health").answer().await.expect(200).json();
    assert_eq!(health["dependencies"]["rabbitmq"]["status"], "down");
    broker.restore().await;
    assert_eq!(world.events(2).await[1].2, 2);
}

#[tokio::test]
async fn without_the_database_the_answer_is_503_until_it_is_back() {
    let world = World::new().await;
    let database = proxy(world.mongo.url()).await;
    let owners = world.owners_with(&[&format!("--mongodb-url={}", database.url_for(world.mongo.url()))]).await;
    let user = user();
    let owner = owners.created(&user).await;
    database.cut().await;
    for request in [owners.get(&path(&owner)), owners.get("/v1/owners"), owners.post(&grace()), owners.delete(&owner)] {
        let refused = request.by(&user).answer().await.expect(503);
        assert!(!refused.header("retry-after").is_empty());
    }
    assert_eq!(owners.get("/health").answer().await.status, 503);
    database.restore().await;
    eventually("owners are read again", async || {
        (owners.get(&path(&owner)).answer().await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_was_written_is_told_before_the_stop() {
    let world = World::new().await;
    let owners = world.owners().await;
    let user = user();
    for _ in 0..20 {
        owners.created(&user).await;
    }
    owners.stop().await;
    assert_eq!(world.events(20).await.len(), 20);
}
