//! Does what orders ask for: at once for those that this process has changed, and by a sweep for those that nobody looks after.
//!
//! Everything may be done twice: calls are identified by the order, and what comes of them is a condition on its version. So no
//! process needs to know of any other, and one that is killed between two steps is healed by whoever sweeps next.

use std::sync::Arc;
use std::time::Duration;

use service::ApiResult;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::hooks::Hooks;
use crate::known::Known;
use crate::order::Order;
use crate::saga::{Call, Input};
use crate::stock::Stock;
use crate::store::Orders;

/// How many orders are seen to at the same time.
const AT_ONCE: usize = 64;

/// How many may wait for that. The sweep finds the rest.
const WAITING: usize = 4_096;

const SWEEP_EVERY: Duration = Duration::from_millis(500);

/// Brings orders to an end. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    orders: Orders,
    stock: Stock,
    known: Known,
    hooks: Hooks,
    woken: mpsc::Sender<Order>,
    places: Arc<Semaphore>,
    busy: TaskTracker,
}

impl Runner {
    /// A runner, and what wakes it.
    pub(crate) fn new(orders: Orders, stock: Stock, known: Known, hooks: Hooks) -> (Self, mpsc::Receiver<Order>) {
        let (woken, waiting) = mpsc::channel(WAITING);
        let (places, busy) = (Arc::new(Semaphore::new(AT_ONCE)), TaskTracker::new());
        (Self { orders, stock, known, hooks, woken, places, busy }, waiting)
    }

    /// An order was changed: what it asks for now is done soon.
    pub(crate) fn wake(&self, order: &Order) {
        if order.saga.call().is_some() {
            let _ = self.woken.try_send(order.clone());
        }
    }

    /// Sees to what is woken, until the stop; then finishes what it is at.
    pub(crate) async fn run(self, mut waiting: mpsc::Receiver<Order>, stop: CancellationToken) {
        while let Some(Some(order)) = stop.run_until_cancelled(waiting.recv()).await {
            self.spawn(order).await;
        }
        self.busy.close();
        self.busy.wait().await;
    }

    /// Takes up what nobody looks after, until the stop.
    pub(crate) async fn sweep(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.orders.take_up().await {
                Ok((orders, more)) => {
                    for order in orders {
                        self.spawn(order).await;
                    }
                    if more {
                        continue;
                    }
                }
                Err(error) => tracing::warn!(%error, "orders that wait cannot be looked for"),
            }
            // Not in step with other processes.
            let _ = stop.run_until_cancelled(sleep(SWEEP_EVERY.mul_f64(rand::random_range(0.75..1.25)))).await;
        }
    }

    async fn spawn(&self, order: Order) {
        let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
        let runner = self.clone();
        self.busy.spawn(async move {
            let order_id = order.id;
            if let Err(error) = runner.bring_on(order).await {
                tracing::warn!(%order_id, %error, "an order waits to be taken up again");
            }
            drop(place);
        });
    }

    /// Brings an order as far as it can go.
    async fn bring_on(&self, order: Order) -> ApiResult<()> {
        let mut order = self.orders.hear(order, &Input::Tick).await?;
        while let Some(call) = order.saga.call() {
            self.hooks.reached("before", call).await;
            let answered = match call {
                Call::Reserve => self.reserve(&order).await?,
                _ => match self.stock.ask(call, &order).await {
                    Some(input) => Some(self.record(call, order.clone(), &input).await?),
                    None => None,
                },
            };
            let Some(next) = answered else { return self.orders.postpone(&order).await };
            self.hooks.reached("recorded", call).await;
            order = next;
        }
        Ok(())
    }

    /// Reserves the stock. What became known of products and user since the order was placed goes into the same change: whoever
    /// hears of it from now on finds the order.
    async fn reserve(&self, order: &Order) -> ApiResult<Option<Order>> {
        let (input, known) = tokio::join!(self.stock.ask(Call::Reserve, order), self.known.about(order));
        let (Some(input), known) = (input, known?) else { return Ok(None) };
        self.hooks.reached("after", Call::Reserve).await;
        let input = known.cancels().unwrap_or(input);
        let reserved = self.orders.change(order.clone(), |present| Ok(known.shown_in(present).after(&input)));
        reserved.await.map(Some)
    }

    async fn record(&self, call: Call, order: Order, input: &Input) -> ApiResult<Order> {
        self.hooks.reached("after", call).await;
        self.orders.hear(order, input).await
    }
}
