//! Every way through the states, with a clock that is told.

use proptest::prelude::*;

use super::*;

const POLICY: BreakerPolicy = BreakerPolicy { failures: 5, open: Duration::from_secs(60) };

fn pass(breaker: &mut Breaker, now: Instant) -> Ticket {
    breaker.try_pass(now).expect("it lets calls through").0
}

fn opened(now: Instant) -> Breaker {
    let mut breaker = Breaker::new(POLICY);
    for _ in 0..5 {
        let ticket = pass(&mut breaker, now);
        breaker.failed(ticket, now);
    }
    assert_eq!(breaker.state(), BreakerState::Open);
    breaker
}

#[test]
fn it_opens_at_exactly_the_fifth_failure_in_a_row() {
    let now = Instant::now();
    let mut breaker = Breaker::new(POLICY);
    for _ in 0..2 {
        for _ in 0..4 {
            let ticket = pass(&mut breaker, now);
            assert_eq!(breaker.failed(ticket, now), None);
        }
        let ticket = pass(&mut breaker, now);
        assert_eq!(breaker.succeeded(ticket), None);
    }
    for failure in 1..=5 {
        let ticket = pass(&mut breaker, now);
        assert_eq!(breaker.failed(ticket, now), (failure == 5).then_some(Change::Opened));
    }
    assert_eq!(breaker.try_pass(now), None);
    assert_eq!(breaker.retry_after(now), POLICY.open);
}

#[test]
fn after_its_time_one_probe_decides() {
    let now = Instant::now();
    for well in [true, false] {
        let mut breaker = opened(now);
        let later = now + POLICY.open;
        assert_eq!(breaker.try_pass(later - Duration::from_millis(1)), None);
        let (probe, change) = breaker.try_pass(later).expect("its time has come");
        assert_eq!(change, Some(Change::HalfOpened));
        assert_eq!(breaker.try_pass(later), None, "there is a second probe");
        let change = if well { breaker.succeeded(probe) } else { breaker.failed(probe, later) };
        assert_eq!(change, Some(if well { Change::Closed } else { Change::Opened }));
        assert_eq!(breaker.try_pass(later).is_some(), well);
    }
}

#[test]
fn a_dropped_probe_frees_its_place() {
    let now = Instant::now();
    let mut breaker = opened(now);
    let later = now + POLICY.open;
    let probe = pass(&mut breaker, later);
    breaker.abandoned(probe, later);
    let probe = pass(&mut breaker, later);
    assert_eq!(breaker.succeeded(probe), Some(Change::Closed));
}

#[test]
fn a_call_from_before_it_opened_decides_nothing_afterwards() {
    let now = Instant::now();
    let mut breaker = Breaker::new(POLICY);
    let old: Vec<_> = (0..8).map(|_| pass(&mut breaker, now)).collect();
    let mut old = old.into_iter();
    for ticket in old.by_ref().take(5) {
        breaker.failed(ticket, now);
    }
    assert_eq!(breaker.succeeded(old.next().expect("the sixth")), None);
    assert_eq!(breaker.state(), BreakerState::Open);
    let later = now + POLICY.open;
    let probe = pass(&mut breaker, later);
    assert_eq!(breaker.failed(old.next().expect("the seventh"), later), None);
    breaker.abandoned(old.next().expect("the eighth"), later);
    assert_eq!(breaker.try_pass(later), None, "an old call has freed the probe's place");
    assert_eq!(breaker.succeeded(probe), Some(Change::Closed));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Start,
    Succeed(prop::sample::Index),
    Fail(prop::sample::Index),
    Abandon(prop::sample::Index),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Start),
        1 => any::<prop::sample::Index>().prop_map(Step::Succeed),
        3 => any::<prop::sample::Index>().prop_map(Step::Fail),
        1 => any::<prop::sample::Index>().prop_map(Step::Abandon),
        1 => (1..90_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn there_is_never_more_than_one_probe_and_never_a_call_while_it_is_open(
        steps in prop::collection::vec(step(), 1..300)
    ) {
        let mut now = Instant::now();
        let mut breaker = Breaker::new(POLICY);
        let mut flying: Vec<(Ticket, bool)> = Vec::new();
        let mut opened_at = None;
        for step in steps {
            let before = breaker.state();
            let take = |flying: &mut Vec<(Ticket, bool)>, at: prop::sample::Index| {
                (!flying.is_empty()).then(|| flying.swap_remove(at.index(flying.len())))
            };
            match step {
                Step::Wait(seconds) => now += Duration::from_secs(seconds),
                Step::Start => if let Some((ticket, change)) = breaker.try_pass(now) {
                    let probe = before == BreakerState::Open;
                    prop_assert_eq!(probe, change == Some(Change::HalfOpened));
                    prop_assert!(before != BreakerState::HalfOpen, "a call beside the probe");
                    if let Some(opened) = opened_at.filter(|_| probe) {
                        prop_assert!(now.duration_since(opened) >= POLICY.open, "a call while it was open");
                    }
                    flying.push((ticket, probe));
                },
                Step::Succeed(at) => if let Some((ticket, probe)) = take(&mut flying, at) {
                    prop_assert_eq!(breaker.succeeded(ticket).is_some(), probe);
                },
                Step::Fail(at) => if let Some((ticket, probe)) = take(&mut flying, at) {
                    let change = breaker.failed(ticket, now);
                    prop_assert!(!probe || change == Some(Change::Opened));
                    if change.is_some() {
                        opened_at = Some(now);
                    }
                },
                Step::Abandon(at) => if let Some((ticket, probe)) = take(&mut flying, at) {
                    breaker.abandoned(ticket, now);
                    if probe {
                        opened_at = None;
                    }
                },
            }
            let probes = flying.iter().filter(|(_, probe)| *probe).count();
            prop_assert_eq!(probes, usize::from(breaker.state() == BreakerState::HalfOpen));
        }
    }
}
