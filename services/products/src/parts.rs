//! What the program is made of, whatever its roles.

use bson::{Document, doc};
use messaging::documents::Relay;
use messaging::{Consumer, Each};
use mongodb::IndexModel;
use mongodb::options::IndexOptions;
use service::Background;
use service::connect::PoolSettings;
use service::documents::{self, Documents, Store};

use crate::Config;
use crate::follow::FollowOwners;
use crate::images::{Remover, Storage, Sweep};
use crate::product::Product;
use crate::products::Products;
use crate::serve::Serve;
use crate::stock::{LOOK_AFTER, Lanes, MongoStore, Stockroom};

pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) products: Products,
    documents: Documents<Product>,
    relay: Relay,
    stock: MongoStore,
    lanes: Lanes,
    follow: FollowOwners,
    pub(crate) storage: Option<Storage>,
    remover: Remover,
    sweep: Option<Sweep>,
}

impl Parts {
    /// Connects to MongoDB; RabbitMQ is connected to when it is first needed.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        let storage = config.s3.open()?;
        let (pool, stop_timeout) = (PoolSettings::connections(32), config.http.stop_timeout);
        let store = config.store.connect(config.service(), pool, &config.retry, stop_timeout).await?;
        let (database, publisher) = (store.database(&config.products_database), store.broker.publisher());
        let (documents, relay) = Documents::open(&database, "products", publisher, store.relay.clone()).await?;
        documents.ensure_index(documents::index("seller", doc! { "seller.id": 1 })).await?;
        documents.ensure_index(sparse("is_new", doc! { "is_new": 1 })).await?;

        let lanes = Lanes::default();
        let stock = MongoStore::open(&database, documents.clone()).await?;
        let (leftovers, remover) = Remover::new();
        let products = Products::new(documents.clone(), lanes.clone(), leftovers);
        let sweep = storage.clone().map(|storage| {
            let (every, age) = (config.s3.image_sweep_every, config.s3.image_orphan_age);
            Sweep { storage, products: products.clone(), every, age }
        });
        let follow = FollowOwners::new(&database, products.clone());
        Ok(Self { store, products, documents, relay, stock, lanes, follow, storage, remover, sweep })
    }

    /// The gRPC side.
    pub(crate) fn serve(&self) -> Serve {
        Serve { products: self.products.clone(), store: self.stock.clone(), lanes: self.lanes.clone() }
    }

    /// Starts what goes on beside serving. A worker has a consumer of the owners' events.
    pub(crate) fn start(self, consumer: Option<Consumer>) -> Background {
        let Self { store, documents, relay, stock, lanes, follow, storage, remover, sweep, .. } = self;
        let mut background = Background::default();
        background.spawn(|stop| relay.run(stop));
        if let Some(storage) = storage {
            background.spawn(|stop| remover.run(storage.clone(), stop));
            background.spawn(|stop| storage.keep_bucket(stop));
        }
        let Some(consumer) = consumer else {
            background.spawn(|stop| documents::declare(store.broker, stop));
            return background;
        };
        if let Some(sweep) = sweep {
            background.spawn(|stop| sweep.run(stop));
        }
        background.spawn(|stop| documents.forget_claims(stop));
        background.spawn(|stop| Stockroom::new(stock, lanes, LOOK_AFTER).sweep_until(stop));
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
