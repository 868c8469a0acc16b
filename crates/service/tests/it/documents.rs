//! Aggregates in MongoDB, as far as no service shows it.

mod sent_twice;

use std::time::Duration;

use bson::{Document, doc};
use messaging::documents::{Relay, RelaySettings};
use messaging::{Broker, Outgoing, Settings, Topology};
use mongodb::Database;
use serde::{Deserialize, Serialize};
use service::ApiError;
use service::documents::{Aggregate, Change, Claim, Documents, ReplayFrom, WhenFull, instant, now};
use service::http::{IdempotencyKey, Limit};
use testkit::{TestMongo, eventually};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// One whose every message counts, if `EACH`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Shop<const EACH: bool> {
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    id: Uuid,
    version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(with = "instant")]
    at: OffsetDateTime,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "instant::option")]
    deleted_at: Option<OffsetDateTime>,
}

impl<const EACH: bool> Aggregate for Shop<EACH> {
    const NAME: &'static str = "shop";
    const WHEN_FULL: WhenFull = if EACH { WhenFull::Refuse } else { WhenFull::DropOldest };

    fn id(&self) -> Uuid {
        self.id
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn is_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    fn event(&self) -> Option<Outgoing> {
        Some(Outgoing::raw("events", "shop.changed", "shop.changed", "{}").with_header("x-version", self.version))
    }
}

impl<const EACH: bool> Shop<EACH> {
    fn new() -> Self {
        Self { id: Uuid::now_v7(), version: 1, note: None, at: now(), deleted_at: None }
    }

    fn next(&self) -> Self {
        Self { version: self.version + 1, ..self.clone() }
    }
}

/// Nothing is ever sent: the broker is away, and the relay does not run.
async fn open<const EACH: bool>() -> (TestMongo, Documents<Shop<EACH>>, Relay) {
    let mongo = testkit::mongodb().await;
    let (shops, relay) = open_in(&mongo.database()).await;
    (mongo, shops, relay)
}

async fn open_in<const EACH: bool>(database: &Database) -> (Documents<Shop<EACH>>, Relay) {
    let url = format!("amqp://guest:guest@127.0.0.1:{}/%2f", testkit::free_port());
    let broker = Broker::open(Settings::new(url, "test", Topology::default())).expect("the URL is one");
    let opened = Documents::open(database, "shops", broker.publisher(), RelaySettings::default()).await;
    opened.expect("MongoDB makes the indexes")
}

async fn created<const EACH: bool>(shops: &Documents<Shop<EACH>>) -> Shop<EACH> {
    let shop = Shop::new();
    shops.create(Change::to(shop.clone()), None, ()).await.expect("it is new");
    shop
}

async fn stored<const EACH: bool>(shops: &Documents<Shop<EACH>>, id: Uuid) -> Document {
    let found = shops.raw().find_one(doc! { "_id": id.to_string() }).await;
    found.expect("MongoDB answers").expect("the shop is there")
}

fn waiting(document: &Document) -> Vec<i32> {
    let outbox = document.get_array("outbox").expect("it has an outbox");
    let version = |entry: &bson::Bson| {
        let headers = entry.as_document()?.get_document("headers").ok()?;
        headers.get_i32("x-version").ok().or_else(|| headers.get_i64("x-version").ok()?.try_into().ok())
    };
    outbox.iter().map(|entry| version(entry).expect("it has its version")).collect()
}

async fn change<const EACH: bool>(shops: &Documents<Shop<EACH>>, id: Uuid) -> Result<Shop<EACH>, ApiError> {
    shops.change(id, |present| Ok(Some(Change::to(present.next())))).await
}

#[tokio::test]
async fn of_messages_that_carry_the_whole_state_the_newest_wait() {
    let (_mongo, shops, _relay) = open::<false>().await;
    let shop = created(&shops).await;
    for _ in 0..60 {
        change(&shops, shop.id).await.expect("it is accepted");
    }
    assert_eq!(waiting(&stored(&shops, shop.id).await), (12..=61).collect::<Vec<_>>());
}

#[tokio::test]
async fn where_each_message_counts_one_too_many_is_refused() {
    let (_mongo, shops, _relay) = open::<true>().await;
    let shop = created(&shops).await;
    for _ in 0..49 {
        change(&shops, shop.id).await.expect("it is accepted");
    }
    let refused = change(&shops, shop.id).await.unwrap_err();
    assert_eq!(refused.status(), 503, "{refused}");
    assert_eq!(waiting(&stored(&shops, shop.id).await), (1..=50).collect::<Vec<_>>());
    assert_eq!(shops.get(shop.id).await.expect("it is there").version, 50);
}

#[tokio::test]
async fn a_change_keeps_what_is_not_its_own_and_removes_what_is_gone() {
    let (_mongo, shops, _relay) = open::<false>().await;
    let shop = created(&shops).await;
    let others = doc! { "$set": { "others": 7 } };
    shops.raw().update_one(doc! { "_id": shop.id.to_string() }, others).await.unwrap();
    let noted =
        shops.change(shop.id, |present| Ok(Some(Change::to(Shop { note: Some("open".to_owned()), ..present.next() }))));
    assert_eq!(noted.await.unwrap().note.as_deref(), Some("open"));
    let silent = shops.change(shop.id, |present| Ok(Some(Change::to(Shop { note: None, ..present.next() }))));
    let silent = silent.await.unwrap();
    assert_eq!(shops.find(shop.id).await.unwrap(), Some(silent));
    let stored = stored(&shops, shop.id).await;
    assert!(!stored.contains_key("note") && stored.get_i32("others").is_ok_and(|others| others == 7), "{stored}");
}

#[tokio::test]
async fn what_was_deleted_is_found_and_neither_listed_nor_changed() {
    let (_mongo, shops, _relay) = open::<false>().await;
    let (shop, other) = (created(&shops).await, created(&shops).await);
    let deleting =
        shops.change(shop.id, |present| Ok(Some(Change::to(Shop { deleted_at: Some(now()), ..present.next() }))));
    let deleted = deleting.await.unwrap();
    assert_eq!(shops.find(shop.id).await.unwrap(), Some(deleted));
    assert_eq!(shops.get(shop.id).await.unwrap_err().status(), 404);
    assert_eq!(change(&shops, shop.id).await.unwrap_err().status(), 404);
    let (listed, next) = shops.page(Document::new(), None, Limit::of(None).unwrap()).await.unwrap();
    assert_eq!((listed, next), (vec![other], None));
}

#[tokio::test]
async fn an_id_that_is_taken_is_a_conflict() {
    let (_mongo, shops, _relay) = open::<false>().await;
    let shop = created(&shops).await;
    let again = shops.create(Change::to(shop), None, ()).await.unwrap_err();
    assert_eq!(again.status(), 409);
}

#[tokio::test]
async fn old_claims_are_removed_from_their_documents() {
    let (_mongo, shops, _relay) = open::<false>().await;
    let (user, key) = (Uuid::now_v7(), |key: &str| IdempotencyKey(Some(key.to_owned())));
    let mut ids = Vec::new();
    for name in ["old", "new"] {
        let shop = Shop::new();
        let claim = Claim::new(user, &key(name), &"request", &()).unwrap();
        ids.push(shop.id);
        shops.create(Change::to(shop), claim, ()).await.unwrap();
    }
    let yesterday = bson::DateTime::from_millis(bson::DateTime::now().timestamp_millis() - 86_401_000);
    let aging = doc! { "$set": { "created_with.at": yesterday } };
    shops.raw().update_one(doc! { "_id": ids[0].to_string() }, aging).await.unwrap();

    let stop = CancellationToken::new();
    let sweeping = tokio::spawn(shops.clone().forget_claims(stop.clone()));
    eventually("the old one is removed", || async {
        (!stored(&shops, ids[0]).await.contains_key("created_with")).then_some(())
    })
    .await;
    assert!(stored(&shops, ids[1]).await.contains_key("created_with"));
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), sweeping).await.expect("it stops").expect("in order");
}

#[tokio::test]
async fn a_replay_without_a_broker_says_so() {
    let (_mongo, shops, _relay) = open::<false>().await;
    created(&shops).await;
    assert_eq!(shops.replay(ReplayFrom::default()).await.unwrap_err().status(), 503);
}
