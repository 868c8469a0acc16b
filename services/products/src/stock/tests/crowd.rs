//! Many who want something of one product at once, in one process.

use std::sync::{Arc, Mutex};
use std::task::Poll;

use super::world::{Memory, World};
use super::{Work, poll, process, product_id, start};
use crate::stock::Stockroom;
use crate::stock::reservation::State;

const CROWD: usize = 40;

/// Many orders of one product, in one process.
struct Crowd {
    memory: Memory,
    room: Stockroom<Memory>,
    orders: Vec<Vec<(usize, u32)>>,
}

impl Crowd {
    fn new() -> Self {
        let memory = Memory(Arc::new(Mutex::new(World::new(&[CROWD as i64]))));
        let crowd = Self { room: process(&memory), memory, orders: vec![vec![(0, 1)]; CROWD] };
        let (reserved, changes) = crowd.in_step(Work::Reserve, None);
        assert_eq!((reserved, changes), (vec![State::Reserved; CROWD], 2));
        crowd
    }

    fn version(&self) -> i64 {
        self.memory.world().products[&product_id(0)].version
    }

    /// All of them at once, step by step, of whom one is killed after so many steps. What those who were answered were told, and
    /// how often the product was changed.
    fn in_step(&self, work: impl Fn(usize) -> Work, killed: Option<(usize, usize)>) -> (Vec<State>, i64) {
        let (before, mut told) = (self.version(), Vec::new());
        let start = |order: usize| (order, start(work(order), self.room.clone(), &self.orders));
        let mut working: Vec<_> = (0..CROWD).map(start).collect();
        for step in 0.. {
            working.retain_mut(|(order, _)| killed != Some((*order, step)));
            working.retain_mut(|(_, working)| match poll(working) {
                Poll::Ready(answer) => {
                    told.extend(answer.map(|(_, state)| state));
                    false
                }
                Poll::Pending => true,
            });
            self.memory.world().check();
            if working.is_empty() {
                break;
            }
        }
        (told, self.version() - before)
    }
}

fn ends(order: usize) -> Work {
    if order.is_multiple_of(4) { Work::Release(order) } else { Work::Commit(order) }
}

/// The first is alone, and the others wait for it.
#[test]
fn all_who_wait_for_a_product_change_it_together() {
    let crowd = Crowd::new();
    let (told, changes) = crowd.in_step(ends, None);
    let released = told.iter().filter(|state| **state == State::Released).count();
    assert_eq!((told.len(), released, changes), (CROWD, CROWD / 4, 2));
    crowd.memory.world().check_end();
}

#[test]
fn who_is_cut_off_while_acting_for_others_fails_none_of_them() {
    for killed in [0, 1] {
        for step in 0..16 {
            let crowd = Crowd::new();
            let (told, changes) = crowd.in_step(ends, Some((killed, step)));
            assert!(told.len() >= CROWD - 1, "{} were answered, {killed} was killed after {step}", told.len());
            assert!(changes <= 4, "{changes} changes");
        }
    }
}
