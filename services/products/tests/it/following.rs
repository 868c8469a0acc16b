//! Products follow their owners.

use contracts::headers::VERSION;
use contracts::owners::{OwnerDeleted, OwnerState, OwnerUpdated};
use messaging::{Broker, Message, Outcome, Outgoing, Settings};
use serde_json::Value;
use testkit::eventually;
use time::OffsetDateTime;

use crate::support::{Ask, Products, User, World, path, teapot, user};

/// Tells as the owners do.
struct Owners(Broker);

impl Owners {
    async fn of(world: &World) -> Self {
        let settings = Settings::new(world.rabbit.url(), "owners", contracts::topology());
        Self(Broker::connect(settings).await.expect("the broker is there"))
    }

    async fn tell<M: Message>(&self, event: &M, version: i64) {
        let outgoing = Outgoing::new(event).with_header(VERSION, version);
        assert_eq!(self.0.publisher().publish_all([outgoing]).await, [Outcome::Confirmed]);
    }

    async fn moved(&self, owner: &OwnerState, address: &str, version: i64) {
        let state = OwnerState { address: address.to_owned(), version, ..owner.clone() };
        self.tell(&OwnerUpdated(state), version).await;
    }

    async fn deleted(&self, owner: &OwnerState, version: i64) {
        let deleted_at = OffsetDateTime::UNIX_EPOCH;
        self.tell(&OwnerDeleted { owner_id: owner.owner_id, version, deleted_at }, version).await;
    }
}

async fn shows(products: &Products, product: &Value, address: &str) {
    eventually(&format!("the owner lives at {address}"), async || {
        let product = products.get(&path(product)).answer().await.expect(200).json();
        (product["owner"]["address"] == address).then_some(())
    })
    .await;
}

async fn some(products: &Products, user: &User, owner: &OwnerState, count: i64) -> Vec<Value> {
    let mut all = Vec::new();
    for stock in 0..count {
        all.push(products.created(user, owner, stock).await);
    }
    all
}

#[tokio::test]
async fn all_products_of_an_owner_who_moves_show_it_and_tell_of_it() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let (owner, other) = (world.owners.of(&user), world.owners.of(&user));
    let all = some(&products, &user, &owner, 4).await;
    let others = products.created(&user, &other, 1).await;
    world.events(5).await;
    let owners = Owners::of(&world).await;
    owners.moved(&owner, "2 Hill Road", 2).await;
    for product in &all {
        shows(&products, product, "2 Hill Road").await;
    }
    shows(&products, &others, "1 Harbour Street").await;
    let told = world.messages(9).await.split_off(5);
    for message in told {
        assert_eq!((message.routing_key.as_str(), &message.json()["version"]), ("product.updated", &2.into()));
        assert_eq!(message.json()["owner"]["address"], "2 Hill Road");
    }

    // What is older, or the same, changes nothing.
    owners.moved(&owner, "4 Last Lane", 4).await;
    owners.moved(&owner, "3 Middle Way", 3).await;
    owners.moved(&owner, "4 Last Lane", 4).await;
    owners.moved(&other, "5 Other Street", 2).await;
    shows(&products, &others, "5 Other Street").await;
    for product in &all {
        let product = products.get(&path(product)).answer().await.expect(200).json();
        assert_eq!((&product["owner"]["address"], &product["version"]), (&"4 Last Lane".into(), &3.into()));
    }
}

#[tokio::test]
async fn the_products_of_a_deleted_owner_are_deleted_and_it_is_told() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let (owner, other) = (world.owners.of(&user), world.owners.of(&user));
    let all = some(&products, &user, &owner, 3).await;
    let others = products.created(&user, &other, 1).await;
    let owners = Owners::of(&world).await;
    owners.deleted(&owner, 2).await;
    for product in &all {
        eventually("it is deleted", async || (products.get(&path(product)).answer().await.status == 404).then_some(()))
            .await;
    }
    products.get(&path(&others)).answer().await.expect(200);
    let told = world.events(7).await;
    assert_eq!(told.iter().filter(|(kind, _, version)| kind == "product.deleted" && *version == 2).count(), 3);
    // What comes late brings nothing back.
    owners.moved(&owner, "late", 1).await;
    owners.moved(&other, "2 Hill Road", 2).await;
    shows(&products, &others, "2 Hill Road").await;
    products.get(&path(&all[0])).answer().await.expect(404);
}

/// The owner has moved after the product's creation asked for it, and before the product was there.
#[tokio::test]
async fn a_product_that_was_created_with_what_its_owner_was_before_follows_too() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let (moved, deleted, marker) = (world.owners.of(&user), world.owners.of(&user), world.owners.of(&user));
    let first = products.created(&user, &marker, 1).await;
    let owners = Owners::of(&world).await;
    owners.moved(&moved, "2 Hill Road", 2).await;
    owners.deleted(&deleted, 2).await;
    owners.moved(&marker, "all was heard", 2).await;
    shows(&products, &first, "all was heard").await;

    let product = products.post(&teapot(&moved, 1)).by(&user).answer().await.expect(201).json();
    let gone = products.post(&teapot(&deleted, 1)).by(&user).answer().await.expect(201).json();
    shows(&products, &product, "2 Hill Road").await;
    eventually("it is deleted", async || (products.get(&path(&gone)).answer().await.status == 404).then_some(())).await;
    eventually("nothing is new any more", async || {
        let stored = crate::shelves::stored(&world.mongo).await;
        stored.iter().all(|product| !product.is_new).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_event_that_cannot_be_understood_is_parked_and_holds_up_nothing() {
    let world = World::new().await;
    let products = world.products().await;
    let user = user();
    let owner = world.owners.of(&user);
    let product = products.created(&user, &owner, 1).await;
    let owners = Owners::of(&world).await;
    let nonsense = Outgoing::raw(contracts::EVENTS, "owner.updated", "owner.updated", r#"{"owner_id":7}"#);
    assert_eq!(owners.0.publisher().publish_all([nonsense]).await, [Outcome::Confirmed]);
    owners.moved(&owner, "2 Hill Road", 2).await;
    shows(&products, &product, "2 Hill Road").await;
    assert_eq!(world.rabbit.take("products.owners.dead", 10).await.len(), 1);
}
