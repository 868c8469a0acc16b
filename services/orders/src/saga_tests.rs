//! The saga against a products and a payments service that behave, over everything that can happen in between: calls repeated,
//! answers lost, messages sent twice, late and in any order, processes killed between any two steps.

use proptest::prelude::*;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(60);

/// An order's stock, as products keeps it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stock {
    Unknown,
    Reserved,
    Sold,
    Free,
}

/// An order's money, as payments keeps it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Money {
    Undecided,
    Charged,
    Declined,
    /// With how often it was charged and given back.
    Refunded,
}

#[derive(Clone, Debug)]
enum Happens {
    /// Somebody does what the order's step asks for. The answer may get lost with them, or come later.
    Call {
        answer: Fate,
    },
    /// A command reaches payments. Its answer is an event, which waits to be delivered.
    Command {
        which: usize,
        again: bool,
    },
    /// An event, or an answer that was late, reaches the order.
    Deliver {
        which: usize,
        again: bool,
    },
    Cancel,
    Pass {
        seconds: u64,
    },
    /// A reservation runs out of time.
    Expire,
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    IsLate,
    IsLost,
}

fn happens() -> impl Strategy<Value = Happens> {
    let fate = prop_oneof![Just(Fate::Arrives), Just(Fate::IsLate), Just(Fate::IsLost)];
    prop_oneof![
        4 => fate.prop_map(|answer| Happens::Call { answer }),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(which, again)| Happens::Command { which, again }),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(which, again)| Happens::Deliver { which, again }),
        1 => Just(Happens::Cancel),
        2 => (1..50_u64).prop_map(|seconds| Happens::Pass { seconds }),
        1 => Just(Happens::Expire),
    ]
}

struct World {
    saga: Saga,
    now: OffsetDateTime,
    in_stock: bool,
    can_pay: bool,
    stock: Stock,
    money: Money,
    charges: u32,
    refunds: u32,
    commands: Vec<Effect>,
    inputs: Vec<Input>,
    announced: Vec<Effect>,
}

impl World {
    fn new(in_stock: bool, can_pay: bool) -> Self {
        let now = OffsetDateTime::UNIX_EPOCH;
        Self {
            saga: Saga::new(now, TIMEOUT),
            now,
            in_stock,
            can_pay,
            stock: Stock::Unknown,
            money: Money::Undecided,
            charges: 0,
            refunds: 0,
            commands: Vec::new(),
            inputs: Vec::new(),
            announced: Vec::new(),
        }
    }

    fn hear(&mut self, input: &Input) {
        let before = self.saga.clone();
        let Some((next, effects)) = self.saga.on(input, self.now) else { return };
        self.saga = next;
        for effect in effects {
            match effect {
                Effect::AskPayment | Effect::AskRefund => self.commands.push(effect),
                announcement => self.announced.push(announcement),
            }
        }
        self.check(&before);
    }

    /// What holds at every moment.
    fn check(&self, before: &Saga) {
        let after = &self.saga;
        assert!(before.status() == OrderStatus::Pending || before.status() == after.status(), "an end is final");
        assert!(after.step != Step::Confirmed || self.stock == Stock::Sold && self.money == Money::Charged);
        assert!(after.step != Step::Cancelled || matches!(self.stock, Stock::Free), "{:?}", self.stock);
        assert!(self.charges <= 1 && self.refunds <= self.charges);
    }

    /// What products answers: each call may be repeated, and an end is for good.
    fn call(&mut self, call: Call) -> Input {
        match (call, self.stock) {
            (Call::Reserve, Stock::Unknown) if self.in_stock => self.stock = Stock::Reserved,
            (Call::Reserve, Stock::Unknown) => self.stock = Stock::Free,
            (Call::Commit, Stock::Reserved) => self.stock = Stock::Sold,
            (Call::Release, Stock::Unknown | Stock::Reserved) => self.stock = Stock::Free,
            _ => {}
        }
        match (call, self.stock) {
            (Call::Reserve, Stock::Reserved | Stock::Sold) => Input::StockReserved,
            (Call::Reserve, _) => Input::StockRefused("out of stock".into()),
            (Call::Commit, Stock::Sold) => Input::StockSold,
            (Call::Commit, _) => Input::StockLost("the reservation ran out".into()),
            (Call::Release, Stock::Free) => Input::StockFree,
            (Call::Release, stock) => panic!("stock that is {stock:?} is to be freed"),
        }
    }

    /// What payments makes of a command, and tells.
    fn command(&mut self, command: Effect) {
        match (command, self.money) {
            (Effect::AskPayment, Money::Undecided) if self.can_pay => {
                self.money = Money::Charged;
                self.charges += 1;
            }
            (Effect::AskPayment, Money::Undecided) => self.money = Money::Declined,
            (Effect::AskRefund, Money::Charged) => {
                assert_ne!(self.saga.step, Step::Confirmed, "a confirmed order keeps its money");
                self.money = Money::Refunded;
                self.refunds += 1;
            }
            (Effect::AskRefund, Money::Undecided) => self.money = Money::Refunded,
            _ => {}
        }
        self.inputs.push(match self.money {
            Money::Charged => Input::PaymentCompleted,
            Money::Declined => Input::PaymentFailed("card declined".into()),
            Money::Refunded => Input::PaymentRefunded,
            Money::Undecided => panic!("a command decides"),
        });
    }

    fn step(&mut self, happens: &Happens) {
        match *happens {
            Happens::Call { answer } => {
                self.hear(&Input::Tick);
                let Some(call) = self.saga.call() else { return };
                let input = self.call(call);
                match answer {
                    Fate::Arrives => self.hear(&input),
                    Fate::IsLate => self.inputs.push(input),
                    Fate::IsLost => {}
                }
            }
            Happens::Command { which, again } => {
                if let Some(command) = pick(&mut self.commands, which, again) {
                    self.command(command);
                }
            }
            Happens::Deliver { which, again } => {
                if let Some(input) = pick(&mut self.inputs, which, again) {
                    self.hear(&input);
                }
            }
            Happens::Cancel => self.hear(&Input::Cancel("cancelled by the user")),
            Happens::Pass { seconds } => self.now += Duration::from_secs(seconds),
            Happens::Expire if self.stock == Stock::Reserved => self.stock = Stock::Free,
            Happens::Expire => {}
        }
    }

    /// Everything is well from now on, and all that waits comes through.
    fn settle(&mut self) {
        for _ in 0..100 {
            let idle = self.commands.is_empty() && self.inputs.is_empty() && self.saga.next_at.is_none();
            if idle {
                return;
            }
            self.step(&Happens::Call { answer: Fate::Arrives });
            self.step(&Happens::Command { which: 0, again: false });
            self.step(&Happens::Deliver { which: 0, again: false });
            if self.commands.is_empty() && self.inputs.is_empty() {
                self.now = self.saga.next_at.unwrap_or(self.now).max(self.now);
            }
        }
        panic!("it never ends: {:?}", self.saga);
    }
}

/// Takes one, or only a copy: then it comes again.
fn pick<T: Clone>(from: &mut Vec<T>, which: usize, again: bool) -> Option<T> {
    let index = which.checked_rem(from.len())?;
    Some(if again { from[index].clone() } else { from.remove(index) })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_an_order_ends_with_stock_and_money_in_step(
        in_stock in prop::bool::weighted(0.8),
        can_pay in prop::bool::weighted(0.8),
        story in prop::collection::vec(happens(), 0..60),
    ) {
        let mut world = World::new(in_stock, can_pay);
        for happens in &story {
            world.step(happens);
        }
        world.settle();

        let kept = world.charges > world.refunds;
        match world.saga.step {
            Step::Confirmed => prop_assert!(kept && world.stock == Stock::Sold),
            Step::Cancelled => prop_assert!(!kept && world.stock == Stock::Free, "{:?}", world.saga),
            step => prop_assert!(false, "it rests at {:?}", step),
        }
        prop_assert!(world.saga.next_at.is_none());
        let ends = |effect: &&Effect| matches!(effect, Effect::AnnounceConfirmed | Effect::AnnounceCancelled);
        prop_assert_eq!(world.announced.iter().filter(ends).count(), 1, "an end is announced once");
        prop_assert_eq!(world.refunds, u32::from(world.charges == 1 && world.saga.step == Step::Cancelled));
        prop_assert_eq!(world.saga.reason.is_some(), world.saga.step == Step::Cancelled);
    }
}

/// The saga after these inputs, and all that it said.
fn told(inputs: &[Input]) -> (Saga, Vec<Effect>) {
    let now = OffsetDateTime::UNIX_EPOCH;
    let mut said = Vec::new();
    let mut saga = Saga::new(now, TIMEOUT);
    for input in inputs {
        if let Some((next, effects)) = saga.on(input, now) {
            saga = next;
            said.extend(effects);
        }
    }
    (saga, said)
}

#[test]
fn an_order_is_confirmed_when_its_stock_is_sold() {
    let (saga, said) = told(&[Input::StockReserved, Input::PaymentCompleted, Input::StockSold]);
    assert_eq!((saga.step, saga.next_at), (Step::Confirmed, None));
    assert_eq!(said, [Effect::AnnounceCreated, Effect::AskPayment, Effect::AnnounceConfirmed]);
}

#[test]
fn nobody_cancels_while_the_stock_is_being_sold() {
    let (paid, _) = told(&[Input::StockReserved, Input::PaymentCompleted]);
    for input in [Input::Cancel("cancelled by the user"), Input::Tick, Input::PaymentFailed("no".into())] {
        assert_eq!(paid.on(&input, paid.deadline + Duration::from_secs(1)), None, "{input:?}");
    }
}

#[test]
fn a_refund_is_asked_for_again_until_its_end_is_heard_of() {
    let (saga, said) = told(&[Input::StockReserved, Input::Cancel("cancelled by the user"), Input::StockFree]);
    assert_eq!(said[2..], [Effect::AskRefund, Effect::AnnounceCancelled]);
    let first = saga.next_at.unwrap();
    assert_eq!(saga.on(&Input::Tick, first - Duration::from_secs(1)), None);
    let (saga, said) = saga.on(&Input::Tick, first).unwrap();
    assert_eq!(said, [Effect::AskRefund]);
    assert_eq!(saga.next_at.unwrap() - first, Duration::from_secs(60), "longer each time");
    assert_eq!(saga.on(&Input::PaymentCompleted, first), None, "it is asked for already");
    for end in [Input::PaymentRefunded, Input::PaymentFailed("declined".into())] {
        let (saga, said) = saga.on(&end, first).unwrap();
        assert_eq!((saga.next_at, said), (None, vec![]), "{end:?}");
    }
}

#[test]
fn a_payment_that_comes_after_a_decline_is_given_back_too() {
    let declined = [Input::StockReserved, Input::PaymentFailed("declined".into()), Input::StockFree];
    let (saga, said) = told(&[&declined[..], &[Input::PaymentCompleted]].concat());
    assert_eq!((saga.charge, said.last()), (Charge::Returning, Some(&Effect::AskRefund)));
}
