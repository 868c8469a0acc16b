//! Stock, as it is asked for by gRPC, and as it lies in the documents.

use std::collections::BTreeMap;
use std::time::Duration;

use bson::doc;
use client::grpc::Channel;
use futures_util::TryStreamExt;
use products::product::Product;
use products::stock::reservation::{Reservation, State};
use proto::v1::product_service_client::ProductServiceClient;
use proto::v1::reserve_stock_response::Outcome;
use proto::v1::{CommitStockRequest, ReleaseStockRequest, ReserveStockRequest, StockItem};
use testkit::{TestMongo, eventually_within};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use uuid::Uuid;

pub(crate) const HOLD: Duration = Duration::from_secs(600);

/// Much longer than a reservation that was left behind waits to be looked after, and than finishing it takes a machine that does
/// everything else at the same time.
pub(crate) const HEALED: Duration = Duration::from_secs(120);

pub(crate) fn wanted(order_id: Uuid, items: &[(Uuid, u32)], hold_for: Duration) -> ReserveStockRequest {
    let item = |(id, quantity): &(Uuid, u32)| StockItem { product_id: id.to_string(), quantity: *quantity };
    ReserveStockRequest {
        order_id: order_id.to_string(),
        items: items.iter().map(item).collect(),
        hold_for: Some(hold_for.try_into().expect("a short time")),
    }
}

/// Orders' calls.
pub(crate) trait Order {
    async fn reserve(&self, order_id: Uuid, items: &[(Uuid, u32)]) -> Result<Outcome, Status>;
    async fn reserve_for(&self, order: Uuid, items: &[(Uuid, u32)], hold: Duration) -> Result<Outcome, Status>;
    async fn commit(&self, order_id: Uuid) -> Result<(), Code>;
    async fn release(&self, order_id: Uuid) -> Result<(), Code>;
}

impl Order for ProductServiceClient<Channel> {
    async fn reserve(&self, order_id: Uuid, items: &[(Uuid, u32)]) -> Result<Outcome, Status> {
        self.reserve_for(order_id, items, HOLD).await
    }

    async fn reserve_for(&self, order_id: Uuid, items: &[(Uuid, u32)], hold: Duration) -> Result<Outcome, Status> {
        let answer = answered(|| async { self.clone().reserve_stock(wanted(order_id, items, hold)).await }).await?;
        Ok(answer.into_inner().outcome.expect("an answer says what came of it"))
    }

    async fn commit(&self, order_id: Uuid) -> Result<(), Code> {
        let request = || CommitStockRequest { order_id: order_id.to_string() };
        let answer = answered(|| async { self.clone().commit_stock(request()).await }).await;
        answer.map(drop).map_err(|status| status.code())
    }

    async fn release(&self, order_id: Uuid) -> Result<(), Code> {
        let request = || ReleaseStockRequest { order_id: order_id.to_string() };
        let answer = answered(|| async { self.clone().release_stock(request()).await }).await;
        answer.map(drop).map_err(|status| status.code())
    }
}

/// As orders do: what may have taken effect, or not, is asked for again until there is an answer.
pub(crate) async fn answered<T, F: Future<Output = Result<T, Status>>>(call: impl Fn() -> F) -> Result<T, Status> {
    eventually_within(Duration::from_secs(180), "there is an answer", || async {
        let answer = call().await;
        let code = answer.as_ref().err().map(Status::code);
        let is_open = matches!(code, Some(Code::DeadlineExceeded | Code::Unavailable));
        (!is_open).then_some(answer)
    })
    .await
}

pub(crate) fn is_reserved(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Reserved(_))
}

/// The products as they are stored.
pub(crate) async fn stored(mongo: &TestMongo) -> Vec<Product> {
    let found = mongo.database().collection("products").find(doc! {}).await.expect("MongoDB answers");
    found.try_collect().await.expect("products can be read")
}

/// The reservations as they are stored.
pub(crate) async fn reservations(mongo: &TestMongo) -> Vec<Reservation> {
    let found = mongo.database().collection("reservations").find(doc! {}).await.expect("MongoDB answers");
    found.try_collect().await.expect("reservations can be read")
}

/// Checks what holds at every moment. Each document by itself: several are never read at one moment.
pub(crate) fn check(products: &[Product], totals: &BTreeMap<Uuid, i64>) {
    for product in products {
        let stock = &product.stock;
        assert!(stock.available >= 0 && stock.reserved >= 0 && stock.sold >= 0, "{stock:?}");
        assert_eq!(stock.reserved, stock.holds.iter().map(|hold| hold.quantity).sum::<i64>(), "{stock:?}");
        assert_eq!(stock.available + stock.reserved + stock.sold, totals[&product.id], "{stock:?}");
    }
}

/// Checks that what was sold and what is held is what the reservations say. For when nothing is under way.
pub(crate) fn check_rest(products: &[Product], reservations: &[Reservation]) {
    for product in products {
        let of = |state: State| -> i64 {
            let items = reservations.iter().filter(|reservation| reservation.state == state);
            let items = items.flat_map(|reservation| &reservation.items);
            items.filter(|item| item.product_id == product.id).map(|item| item.quantity).sum()
        };
        assert_eq!((product.stock.sold, product.stock.reserved), (of(State::Committed), of(State::Reserved)));
    }
}

/// Whether nothing is under way.
pub(crate) fn are_at_rest(reservations: &[Reservation]) -> bool {
    let rests = [State::Reserved, State::Committed, State::Released];
    reservations.iter().all(|reservation| rests.contains(&reservation.state))
}

/// Looks at the documents again and again, and checks what holds at every moment.
pub(crate) struct Watcher {
    stop: CancellationToken,
    watching: JoinHandle<usize>,
}

impl Watcher {
    pub(crate) fn start(mongo: &TestMongo, totals: BTreeMap<Uuid, i64>) -> Self {
        let stop = CancellationToken::new();
        let (database, stopped) = (mongo.database(), stop.clone());
        let watching = tokio::spawn(async move {
            let mut looks = 0;
            // Not all the time: the server has other work as well.
            let mut pace = tokio::time::interval(Duration::from_millis(10));
            // A server that is slow is not asked all the more for what was missed.
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stopped.run_until_cancelled(pace.tick()).await.is_some() {
                // Without the messages that wait in them, which are many times as large as the rest.
                let products = database.collection::<Product>("products");
                let found = products.find(doc! {}).projection(doc! { "outbox": 0 }).await.expect("MongoDB answers");
                check(&found.try_collect::<Vec<_>>().await.expect("products can be read"), &totals);
                looks += 1;
            }
            looks
        });
        Self { stop, watching }
    }

    /// How often it looked.
    pub(crate) async fn stop(self) -> usize {
        self.stop.cancel();
        self.watching.await.expect("all that it saw was right")
    }
}
