//! A process that ends between any two of its steps, each in turn: another one finishes what it was at.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use messaging::documents::RelaySettings;
use messaging::{Broker, Settings};
use mongodb::Client;
use products::product::{Details, Product, Seller};
use products::stock::reservation::{Reservation, State};
use products::stock::{Answer, Items, Lanes, MongoStore, Stockroom, Store};
use service::documents::{Change, Documents};
use service::{ApiError, ApiResult};
use testkit::{TestMongo, TestRabbit};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::shelves::{HOLD, check, check_rest, reservations, stored};

/// Ends after some steps: none of those that follow takes place.
#[derive(Debug)]
struct Cut {
    store: MongoStore,
    left: AtomicUsize,
}

impl Cut {
    fn step(&self) -> ApiResult<()> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| ApiError::unavailable("the process has ended", Duration::ZERO))
    }
}

impl Store for Cut {
    fn now(&self) -> OffsetDateTime {
        self.store.now()
    }

    async fn reservation(&self, order_id: Uuid) -> ApiResult<Option<Reservation>> {
        self.step()?;
        self.store.reservation(order_id).await
    }

    async fn reserving(&self, orders: &[Uuid]) -> ApiResult<HashSet<Uuid>> {
        self.step()?;
        self.store.reserving(orders).await
    }

    async fn insert(&self, new: &Reservation) -> ApiResult<bool> {
        self.step()?;
        self.store.insert(new).await
    }

    async fn replace(&self, present: &Reservation, next: &Reservation) -> ApiResult<bool> {
        self.step()?;
        self.store.replace(present, next).await
    }

    async fn due(&self) -> ApiResult<Vec<Reservation>> {
        self.step()?;
        self.store.due().await
    }

    async fn product(&self, product_id: Uuid) -> ApiResult<Option<Product>> {
        self.step()?;
        self.store.product(product_id).await
    }

    async fn replace_product(&self, present: &Product, next: &Product) -> ApiResult<bool> {
        self.step()?;
        self.store.replace_product(present, next).await
    }
}

/// Two products of five each, and nobody but the test.
struct Shop {
    mongo: TestMongo,
    _rabbit: TestRabbit,
    documents: Documents<Product>,
    store: MongoStore,
    products: [Uuid; 2],
}

impl Shop {
    async fn new() -> Self {
        let (mongo, rabbit) = tokio::join!(testkit::mongodb(), testkit::rabbitmq());
        let client = Client::with_uri_str(mongo.url()).await.expect("it is a URL");
        let broker = Broker::open(Settings::new(rabbit.url(), "test", contracts::topology())).expect("it is a URL");
        let database = client.database(mongo.name());
        let opened = Documents::open(&database, "products", broker.publisher(), RelaySettings::default()).await;
        let documents = opened.expect("indexes can be made").0;
        let store = MongoStore::open(&database, documents.clone()).await.expect("indexes can be made");
        let mut shop = Self { mongo, _rabbit: rabbit, documents, store, products: [Uuid::nil(); 2] };
        shop.restock().await;
        shop
    }

    /// Two other products.
    async fn restock(&mut self) {
        for product in &mut self.products {
            let price = contracts::Money::new(1, "EUR".parse().expect("a currency"));
            let details = Details { name: "Cup".to_owned(), description: String::new(), price };
            let [id, created_by] = [Uuid::now_v7(), Uuid::now_v7()];
            let seller = Seller { id, name: "Ada".to_owned(), address: "here".to_owned(), version: 1, created_by };
            let new = Product::new(details, seller, 5);
            *product = new.id;
            self.documents.create(Change::to(new), None, ()).await.expect("it can be stored");
        }
    }

    /// A process that looks after everything at once.
    fn process(&self) -> Stockroom<MongoStore> {
        Stockroom::new(self.store.clone(), Lanes::default(), Duration::ZERO)
    }

    /// One that ends after so many steps.
    fn ending_after(&self, steps: usize) -> Stockroom<Cut> {
        let cut = Cut { store: self.store.clone(), left: AtomicUsize::new(steps) };
        Stockroom::new(cut, Lanes::default(), Duration::ZERO)
    }

    fn items(&self, count: u32) -> Items {
        Items::new(self.products.map(|product| (product, count))).expect("they are right")
    }

    async fn sweep(&self) {
        self.process().sweep().await.expect("MongoDB answers");
    }

    /// The state of the order, after all was checked.
    async fn checked(&self, order_id: Uuid) -> Option<State> {
        let (products, reservations) = (stored(&self.mongo).await, reservations(&self.mongo).await);
        check(&products, &products.iter().map(|product| (product.id, 5)).collect::<BTreeMap<_, _>>());
        check_rest(&products, &reservations);
        reservations.iter().find(|reservation| reservation.order_id == order_id).map(|reservation| reservation.state)
    }
}

/// Enough for every step of any call here, and a bound for the test.
const MOST_STEPS: usize = 40;

/// Lets processes end over an order after ever more steps, until one comes to the end of its work. Each time with other products.
async fn after_each_step(comes_to_its_end: impl AsyncFn(&Shop, Uuid, usize) -> bool) {
    let mut shop = Shop::new().await;
    for steps in 0..MOST_STEPS {
        if comes_to_its_end(&shop, Uuid::now_v7(), steps).await {
            return;
        }
        shop.restock().await;
    }
    panic!("it takes more than {MOST_STEPS} steps");
}

#[tokio::test]
async fn a_reservation_is_finished_by_another_process() {
    after_each_step(async |shop, order, steps| {
        let ended = shop.ending_after(steps).reserve(order, shop.items(2), HOLD).await;
        shop.sweep().await;
        let state = shop.checked(order).await;
        assert_eq!(state, (steps > 0).then_some(State::Reserved), "after {steps} steps");
        // Whoever asked does not know, and asks again.
        let again = shop.process().reserve(order, shop.items(2), HOLD).await.expect("it can be reserved");
        assert!(matches!(again, Answer::Reserved { .. }));
        shop.process().release(order).await.expect("it can be released");
        assert_eq!(shop.checked(order).await, Some(State::Released));
        ended.is_ok()
    })
    .await;
}

#[tokio::test]
async fn what_came_short_midway_is_given_back_by_another_process() {
    after_each_step(async |shop, order, steps| {
        // The second one is short.
        let [first, second] = shop.products;
        let items = Items::new([(first, 2), (second, 6)]).expect("they are right");
        let ended = shop.ending_after(steps).reserve(order, items.clone(), HOLD).await;
        shop.sweep().await;
        assert_eq!(shop.checked(order).await, (steps > 0).then_some(State::Released), "after {steps} steps");
        let again = shop.process().reserve(order, items, HOLD).await.expect("an answer");
        assert!(matches!(again, Answer::OutOfStock(short) if short.available == 5 && short.product_id == second));
        ended.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_sale_is_finished_by_another_process() {
    after_each_step(async |shop, order, steps| {
        shop.process().reserve(order, shop.items(2), HOLD).await.expect("it can be reserved");
        let ended = shop.ending_after(steps).commit(order).await;
        shop.sweep().await;
        let state = shop.checked(order).await;
        // The first step reads; with the second it is decided.
        assert_eq!(state, Some(if steps < 2 { State::Reserved } else { State::Committed }), "after {steps} steps");
        shop.process().commit(order).await.expect("it can be sold");
        assert_eq!(shop.checked(order).await, Some(State::Committed));
        ended.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_release_is_finished_by_another_process() {
    after_each_step(async |shop, order, steps| {
        shop.process().reserve(order, shop.items(2), HOLD).await.expect("it can be reserved");
        let ended = shop.ending_after(steps).release(order).await;
        shop.sweep().await;
        let state = shop.checked(order).await;
        assert_eq!(state, Some(if steps < 2 { State::Reserved } else { State::Released }), "after {steps} steps");
        shop.process().release(order).await.expect("it can be released");
        assert_eq!(shop.checked(order).await, Some(State::Released));
        ended.is_ok()
    })
    .await;
}

#[tokio::test]
async fn what_runs_out_of_time_is_given_back_whoever_ends_over_it() {
    after_each_step(async |shop, order, steps| {
        shop.process().reserve(order, shop.items(2), Duration::ZERO).await.expect("it can be reserved");
        let _ = shop.ending_after(steps).sweep().await;
        let was_done = reservations(&shop.mongo).await.iter().all(|reservation| reservation.due.is_none());
        shop.sweep().await;
        assert_eq!(shop.checked(order).await, Some(State::Released), "after {steps} steps");
        was_done
    })
    .await;
}

/// Released by somebody else while who reserves has done some steps, and goes on.
#[tokio::test]
async fn who_reserves_and_is_overtaken_by_a_release_at_any_step_holds_nothing() {
    after_each_step(async |shop, order, steps| {
        let ended = shop.ending_after(steps).reserve(order, shop.items(2), HOLD).await;
        shop.process().release(order).await.expect("it can be released");
        let late = shop.process().reserve(order, shop.items(2), HOLD).await;
        assert_eq!(late.expect_err("it was released").status(), 409);
        assert_eq!(shop.checked(order).await, Some(State::Released), "after {steps} steps");
        ended.is_ok()
    })
    .await;
}
