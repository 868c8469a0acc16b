//! Points, made of an event: one in `events` for itself, and one in `tasks` for each report that it carries.
//!
//! A point is known by its tags and its time. So one that is written again replaces itself, and two events must not have the
//! same time: below the millisecond, the time is made of what is left of the id.

use contracts::tasks::{StepReport, StepState, TaskProgressed};
use messaging::{Delivery, Message, Meta};
use time::OffsetDateTime;
use uuid::Uuid;

use super::line::Line;
use crate::event::{self, Event};

const MILLISECOND: i128 = 1_000_000;

/// The lines of an event.
pub(super) fn of(delivery: &Delivery<Event>, now: OffsetDateTime) -> String {
    let meta = &delivery.meta;
    let mut lines = own(meta, now);
    if meta.kind.as_deref() == Some(TaskProgressed::ROUTING_KEY)
        && let Ok(progressed) = serde_json::from_slice::<TaskProgressed>(&delivery.payload.0)
    {
        lines.extend(progressed.reports.iter().map(of_report));
    }
    lines
}

fn own(meta: &Meta, now: OffsetDateTime) -> String {
    let (id, time) = (event::id(meta), event::time(meta));
    let line = Line::of("events")
        .tag("service", meta.app_id.as_deref().unwrap_or("unknown"))
        .tag("type", meta.kind.as_deref().unwrap_or("unknown"))
        .int("count", 1)
        .text("id", &id);
    let line = match time {
        Some(time) if time <= now => line.float("latency_ms", milliseconds(now - time)),
        _ => line,
    };
    line.at(nanoseconds(time, now, below_millisecond(&id)))
}

fn of_report(report: &StepReport) -> String {
    let line = Line::of("tasks")
        .tag("state", state(report.state))
        .tag("step", &report.step)
        .int("attempts", i64::from(report.attempt))
        .text("task_id", &report.task_id.to_string());
    let line = match event::made_at(report.task_id) {
        Some(begun) if begun <= report.at => line.float("latency_ms", milliseconds(report.at - begun)),
        _ => line,
    };
    line.at(nanoseconds(Some(report.at), report.at, below_millisecond(&report.task_id.to_string())))
}

fn state(state: StepState) -> &'static str {
    match state {
        StepState::Waiting => "waiting",
        StepState::Retrying => "retrying",
        StepState::Done => "done",
        StepState::Refused => "refused",
        StepState::Skipped => "skipped",
        StepState::Failed => "failed",
    }
}

fn milliseconds(duration: time::Duration) -> f64 {
    duration.as_seconds_f64() * 1_000.0
}

/// A time that InfluxDB can hold, or else now.
fn nanoseconds(time: Option<OffsetDateTime>, now: OffsetDateTime, below: i128) -> i64 {
    let at = |time: OffsetDateTime| {
        let milliseconds = time.unix_timestamp_nanos().div_euclid(MILLISECOND);
        i64::try_from(milliseconds * MILLISECOND + below).ok()
    };
    time.and_then(at).or_else(|| at(now)).unwrap_or_default()
}

/// Ids that a process makes in one millisecond differ by a counter above their lowest 32 bits, so that they get times of their
/// own. With others two may meet, one time in a million.
fn below_millisecond(id: &str) -> i128 {
    let number = Uuid::parse_str(id).map_or_else(|_| fnv1a(id.as_bytes()), |id| id.as_u128() >> 32);
    i128::try_from(number % MILLISECOND.unsigned_abs()).unwrap_or_default()
}

/// A hash that is the same in every process and version.
fn fnv1a(bytes: &[u8]) -> u128 {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    hash.into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use bytes::Bytes;

    use super::*;

    fn meta(id: Uuid) -> Meta {
        Meta { id, message_id: Some(id.to_string()), ..Meta::default() }
    }

    #[test]
    fn events_of_one_process_never_share_a_time() {
        let now = OffsetDateTime::now_utc();
        let lines: HashSet<String> = (0..50_000)
            .map(|_| own(&meta(Uuid::now_v7()), now))
            .map(|line| line.rsplit_once(' ').unwrap().1.to_owned())
            .collect();
        assert_eq!(lines.len(), 50_000);
    }

    #[test]
    fn an_event_that_comes_again_has_the_same_tags_and_time() {
        let delivery = |redelivered| Delivery {
            meta: Meta { redelivered, published_at: Some(OffsetDateTime::UNIX_EPOCH), ..meta(Uuid::nil()) },
            payload: Event(Bytes::new()),
        };
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::MILLISECOND;
        let line = of(&delivery(false), now);
        assert_eq!(
            line,
            "events,service=unknown,type=unknown count=1i,id=\"00000000-0000-0000-0000-000000000000\",latency_ms=1 0\n"
        );
        assert_eq!(of(&delivery(true), now), line);
    }

    #[test]
    fn a_time_that_cannot_be_held_is_now() {
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::SECOND;
        let far = OffsetDateTime::from_unix_timestamp(253_402_300_799).unwrap();
        assert_eq!(nanoseconds(Some(far), now, 5), 1_000_000_005);
        assert_eq!(nanoseconds(None, now, 0), 1_000_000_000);
    }
}
