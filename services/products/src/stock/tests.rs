//! Reservations under every order of steps: several processes at once, each of which may fall asleep or be killed between any two
//! of its steps, on a store in memory whose calls are the steps.

mod crowd;
mod world;

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use proptest::prelude::*;
use uuid::Uuid;

use self::world::{Memory, World};
use super::reservation::State;
use super::{Answer, Items, LOOK_AFTER, Lanes, Stockroom, Store};

const HOLD: Duration = Duration::from_secs(60);
const PRODUCTS: usize = 3;
const ORDERS: usize = 3;

fn product_id(index: usize) -> Uuid {
    Uuid::from_u128(100 + index as u128)
}

fn order_id(index: usize) -> Uuid {
    Uuid::from_u128(200 + index as u128)
}

/// What a process is at.
#[derive(Clone, Copy, Debug)]
enum Work {
    Reserve(usize),
    Commit(usize),
    Release(usize),
    Sweep,
    Delete(usize),
    Change(usize, i64),
}

/// What it was told, by an order.
type Told = Option<(Uuid, State)>;
type Working = Pin<Box<dyn Future<Output = Told>>>;

/// A process: what it is at waits for each other in its lanes.
fn process(memory: &Memory) -> Stockroom<Memory> {
    Stockroom::new(memory.clone(), Lanes::default(), LOOK_AFTER)
}

fn start(work: Work, room: Stockroom<Memory>, orders: &[Vec<(usize, u32)>]) -> Working {
    let memory = room.store.clone();
    match work {
        Work::Reserve(order) => {
            let items = Items::new(orders[order].iter().map(|(product, count)| (product_id(*product), *count)));
            let (id, items) = (order_id(order), items.unwrap());
            Box::pin(async move {
                match room.reserve(id, items, HOLD).await {
                    Ok(Answer::Reserved { .. }) => Some((id, State::Reserved)),
                    Ok(Answer::OutOfStock(_)) => Some((id, State::Released)),
                    Err(_) => None,
                }
            })
        }
        Work::Commit(order) => Box::pin(async move {
            let id = order_id(order);
            room.commit(id).await.ok().map(|()| (id, State::Committed))
        }),
        Work::Release(order) => Box::pin(async move {
            let id = order_id(order);
            room.release(id).await.ok().map(|()| (id, State::Released))
        }),
        Work::Sweep => Box::pin(async move {
            room.sweep().await.unwrap();
            None
        }),
        Work::Delete(product) => Box::pin(async move {
            let present = memory.product(product_id(product)).await.unwrap().unwrap();
            if present.is_there() {
                memory.replace_product(&present, &present.deleted()).await.unwrap();
            }
            None
        }),
        Work::Change(product, by) => Box::pin(async move {
            let id = product_id(product);
            let present = memory.product(id).await.unwrap().unwrap();
            if let Some(stock) = present.stock.changed(by).filter(|_| present.is_there()) {
                let mut world = memory.step().await;
                if world.products[&id].version == present.version {
                    world.products.insert(id, present.with_stock(stock));
                    *world.totals.get_mut(&id).unwrap() += by;
                }
            }
            None
        }),
    }
}

fn poll(working: &mut Working) -> Poll<Told> {
    working.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// What the scheduler does next, to whichever process the number chooses.
#[derive(Clone, Copy, Debug)]
enum Move {
    Step(usize),
    Kill(usize),
    Pass(u8),
}

fn run(stock: &[i64], orders: &[Vec<(usize, u32)>], works: &[Work], moves: &[Move]) {
    let memory = Memory(Arc::new(Mutex::new(World::new(stock))));
    let rooms = [process(&memory), process(&memory)];
    let works = works.iter().zip(rooms.iter().cycle());
    let mut working: Vec<Working> = works.map(|(work, room)| start(*work, room.clone(), orders)).collect();
    let mut told = Vec::new();
    for next in moves {
        let live = working.len().max(1);
        match *next {
            Move::Pass(seconds) => memory.world().now += Duration::from_secs(seconds.into()),
            _ if working.is_empty() => break,
            Move::Kill(which) => drop(working.swap_remove(which % live)),
            Move::Step(which) => {
                if let Poll::Ready(answer) = poll(&mut working[which % live]) {
                    drop(working.swap_remove(which % live));
                    told.extend(answer);
                }
            }
        }
        memory.world().check();
    }
    // All that still runs is killed, and another process comes by later.
    drop(working);
    memory.world().now += Duration::from_secs(24 * 3_600);
    for _ in 0..10 {
        let mut sweep = start(Work::Sweep, process(&memory), orders);
        while poll(&mut sweep).is_pending() {
            memory.world().check();
        }
        memory.world().now += LOOK_AFTER;
    }
    let world = memory.world();
    world.check();
    world.check_end();
    for (order_id, state) in told {
        let end = world.reservations[&order_id].state;
        assert!(state == State::Reserved || state == end, "was told {state:?}, is {end:?}");
    }
}

fn works() -> impl Strategy<Value = Vec<Work>> {
    let work = prop_oneof![
        4 => (0..ORDERS).prop_map(Work::Reserve),
        2 => (0..ORDERS).prop_map(Work::Commit),
        2 => (0..ORDERS).prop_map(Work::Release),
        2 => Just(Work::Sweep),
        1 => (0..PRODUCTS).prop_map(Work::Delete),
        1 => ((0..PRODUCTS), -2_i64..3).prop_map(|(product, by)| Work::Change(product, by)),
    ];
    prop::collection::vec(work, 1..14)
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    // In runs: a process that does all it does while the others sleep finds what two in step never do.
    let run = prop_oneof![
        30 => (any::<usize>(), 1_usize..12).prop_map(|(which, steps)| vec![Move::Step(which); steps]),
        2 => any::<usize>().prop_map(|which| vec![Move::Kill(which)]),
        3 => (1_u8..90).prop_map(|seconds| vec![Move::Pass(seconds)]),
    ];
    prop::collection::vec(run, 0..60).prop_map(|runs| runs.concat())
}

fn orders() -> impl Strategy<Value = Vec<Vec<(usize, u32)>>> {
    let order = prop::collection::btree_map(0..PRODUCTS, 1_u32..4, 1..=PRODUCTS);
    prop::collection::vec(order.prop_map(|items| items.into_iter().collect()), ORDERS)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_order_steps_come_in_nothing_is_lost_sold_twice_or_held_for_ever(
        stock in prop::collection::vec(0_i64..6, PRODUCTS),
        orders in orders(),
        works in works(),
        moves in moves(),
    ) {
        run(&stock, &orders, &works, &moves);
    }
}

/// The narrow one: a process that was asleep since before the release must not take stock after it.
#[test]
fn who_was_asleep_takes_nothing_for_an_order_that_has_ended() {
    let orders = [vec![(0, 2)]];
    for asleep_after in 0..8 {
        let mut moves = vec![Move::Step(0); asleep_after];
        moves.extend([Move::Step(1); 30]);
        moves.extend([Move::Step(0); 30]);
        run(&[5], &orders, &[Work::Reserve(0), Work::Release(0)], &moves);
    }
}
