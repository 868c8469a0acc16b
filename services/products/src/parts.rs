//! What the program is made of, whatever its roles.

use anyhow::Context;
use bson::{Document, doc};
use messaging::documents::{Relay, RelaySettings};
use messaging::{Broker, Consumer, Each, Settings};
use mongodb::options::IndexOptions;
use mongodb::{Client, IndexModel};
use secrecy::ExposeSecret;
use service::Background;
use service::connect::{self, PoolSettings};
use service::documents::{self, Documents};

use crate::Config;
use crate::follow::FollowOwners;
use crate::product::Product;
use crate::products::Products;
use crate::serve::Serve;
use crate::stock::{LOOK_AFTER, Lanes, MongoStore, Stockroom};

pub(crate) struct Parts {
    pub(crate) mongodb: Client,
    pub(crate) broker: Broker,
    pub(crate) products: Products,
    documents: Documents<Product>,
    relay: Relay,
    store: MongoStore,
    lanes: Lanes,
    follow: FollowOwners,
}

impl Parts {
    /// Connects to MongoDB; RabbitMQ is connected to when it is first needed.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        let (store, pool) = (&config.store, PoolSettings::connections(32));
        let mongodb = connect::mongodb("MONGODB_URL", &store.mongodb_url, pool, &config.retry.backoff()).await?;
        let broker = Settings::new(store.amqp_url.expose_secret(), config.service(), contracts::topology());
        let broker = Broker::open(broker).context("AMQP_URL")?;

        let database = mongodb.database(&config.products_database);
        let relay = RelaySettings { stop_within: config.http.stop_timeout / 5, ..RelaySettings::default() };
        let (documents, relay) = Documents::open(&database, "products", broker.publisher(), relay).await?;
        documents.ensure_index(documents::index("seller", doc! { "seller.id": 1 })).await?;
        documents.ensure_index(sparse("is_new", doc! { "is_new": 1 })).await?;

        let lanes = Lanes::default();
        let store = MongoStore::open(&database, documents.clone()).await?;
        let products = Products::new(documents.clone(), lanes.clone());
        let follow = FollowOwners::new(&database, products.clone());
        Ok(Self { mongodb, broker, products, documents, relay, store, lanes, follow })
    }

    /// The gRPC side.
    pub(crate) fn serve(&self) -> Serve {
        Serve { products: self.products.clone(), store: self.store.clone(), lanes: self.lanes.clone() }
    }

    /// Starts what goes on beside serving. A worker has a consumer of the owners' events.
    pub(crate) fn start(self, consumer: Option<Consumer>) -> Background {
        let Self { broker, documents, relay, store, lanes, follow, .. } = self;
        let mut background = Background::default();
        background.spawn(|stop| relay.run(stop));
        let Some(consumer) = consumer else {
            background.spawn(|stop| documents::declare(broker, stop));
            return background;
        };
        background.spawn(|stop| documents.forget_claims(stop));
        background.spawn(|stop| Stockroom::new(store, lanes, LOOK_AFTER).sweep_until(stop));
        background.spawn(|stop| follow.clone().look_up_until(stop));
        background.spawn(|stop| consumer.run(Each(follow), stop));
        background
    }
}

/// An index of only what has these fields.
fn sparse(name: &str, keys: Document) -> IndexModel {
    let options = IndexOptions::builder().name(name.to_owned()).sparse(true).build();
    IndexModel::builder().keys(keys).options(options).build()
}
