//! Processes killed between any two steps of the saga: whoever comes next brings the order to its end.

use std::net::SocketAddr;

use futures_util::FutureExt;
use futures_util::future::join_all;
use orders::{Hooks, start_with};
use testkit::{Program, eventually_within};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::support::{Ask, Held, LIMIT, Orders, World, client, consumes, id, path, wish};

/// A process that stands still at a place, and dies there.
struct Doomed {
    runtime: Runtime,
    address: SocketAddr,
    reached: mpsc::Receiver<()>,
}

impl Doomed {
    async fn start(world: &World, place: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime can be made");
        let (told, reached) = mpsc::channel(1);
        let place = place.to_owned();
        let hooks = Hooks::new(move |now| {
            let (here, told) = (now == place, told.clone());
            async move {
                if here {
                    let _ = told.try_send(());
                    std::future::pending::<()>().await;
                }
            }
            .boxed()
        });
        let config = world.config(&[]);
        let (started, starting) = oneshot::channel();
        // A thread of its own, which a runtime needs to wait for anything.
        std::thread::spawn(move || {
            let running = runtime.block_on(start_with(config, hooks, CancellationToken::new()));
            let _ = started.send((running.expect("the program can be started").address(), runtime));
        });
        let (address, runtime) = starting.await.expect("it is started");
        // A queue whose declaration breaks off can stay unusable.
        consumes(&client(), address).await;
        Self { address, runtime, reached }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// All it was at just ends, connections and all: nothing is flushed, nothing is told.
    async fn dies(mut self) {
        timeout(LIMIT, self.reached.recv()).await.expect("it gets there in time").expect("the hook is there");
        self.runtime.shutdown_background();
    }
}

async fn killed(place: &str) {
    let world = World::new().await;
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 5);
    let doomed = Doomed::start(&world, place).await;
    let placing = client().post(doomed.url("/v1/orders")).json(&wish(&[(&product, 2)])).by(&buyer);
    let order = placing.answer().await.expect(202).json();

    let cancels = place.ends_with("release");
    if cancels {
        world.asked(&order, 1).await;
        client().post(doomed.url(&format!("{}/cancel", path(&order)))).by(&buyer).answer().await.expect(202);
    } else if place.ends_with("commit") {
        world.pay(&order).await;
    }
    doomed.dies().await;

    let orders: Orders = world.orders().await;
    if place.ends_with("reserve") {
        world.pay(&order).await;
    }
    let (status, held) = if cancels { ("cancelled", Held::Free) } else { ("confirmed", Held::Sold) };
    orders.ended(&buyer, &order, status).await;
    assert_eq!(world.shop.held(id(&order)), Some(held), "{place}");
    let stock = world.shop.shelves().products[&product.product_id].stock;
    assert_eq!(stock, 3, "{place}: it is reserved once");
    let asked = world.asked(&order, 1 + usize::from(cancels)).await;
    let wanted: &[&str] = if cancels { &["process.payment", "refund.payment"] } else { &["process.payment"] };
    assert_eq!(asked, wanted, "{place}");
    let end = format!("order.{status}");
    let kinds: std::collections::BTreeSet<_> =
        world.events(&order, 2).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["order.created".to_owned(), end].into(), "{place}");
    orders.stop().await;
}

#[tokio::test]
async fn an_order_survives_a_kill_around_the_reservation_of_its_stock() {
    join_all(["before reserve", "after reserve", "recorded reserve"].map(killed)).await;
}

#[tokio::test]
async fn an_order_survives_a_kill_around_the_sale_of_its_stock() {
    join_all(["before commit", "after commit", "recorded commit"].map(killed)).await;
}

#[tokio::test]
async fn an_order_survives_a_kill_around_its_cancellation() {
    join_all(["before release", "after release", "recorded release"].map(killed)).await;
}

#[tokio::test]
async fn two_processes_share_the_work_and_each_order_is_sold_once() {
    let world = World::new().await;
    let (one, two) = (world.orders().await, world.orders().await);
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 1_000);
    let mut placed = Vec::new();
    for n in 0..30 {
        placed.push(if n % 2 == 0 { &one } else { &two }.placed(&buyer, &[(&product, 1)]).await);
    }
    for order in &placed {
        world.pay(order).await;
    }
    for order in &placed {
        two.ended(&buyer, order, "confirmed").await;
        let kinds: Vec<_> = world.events(order, 2).await.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds.iter().filter(|kind| *kind == "order.confirmed").count(), 1, "{kinds:?}");
    }
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn every_order_that_was_accepted_before_a_kill_9_ends() {
    let world = World::new().await;
    let buyer = world.buyer();
    let product = world.shop.product("Teapot", 1_000);
    let address = SocketAddr::from(([127, 0, 0, 1], testkit::free_port()));
    let usual = world.arguments().into_iter().filter(|usual| !usual.starts_with("--listen"));
    let program = Program::cargo_bin("orders").arg(format!("--listen={address}"));
    let program = usual.fold(program, Program::arg).start().await;
    let ready = format!("http://{address}/ready");
    program.wait_ready(&ready).await;
    consumes(&client(), address).await;

    let client = client();
    let place = || client.post(format!("http://{address}/v1/orders")).json(&wish(&[(&product, 1)])).by(&buyer).answer();
    let placed: Vec<_> = join_all((0..30).map(|_| place())).await.into_iter().map(|it| it.expect(202).json()).collect();
    program.kill9().await;
    program.start_again().await;
    program.wait_ready(&ready).await;
    for order in &placed {
        world.pay(order).await;
    }
    for order in &placed {
        let look = || client.get(format!("http://{address}{}", path(order))).by(&buyer).answer();
        let confirmed = || async { (look().await.expect(200).json()["status"] == "confirmed").then_some(()) };
        eventually_within(LIMIT, "the order is confirmed", confirmed).await;
        assert_eq!(world.shop.held(id(order)), Some(Held::Sold));
        assert_eq!(world.asked(order, 1).await, ["process.payment"]);
    }
    assert_eq!(world.shop.shelves().products[&product.product_id].stock, 970);
    assert_eq!(program.sigterm().await, 0);
}
