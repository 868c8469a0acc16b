//! What reports make of a task's steps.
//!
//! Of all that is ever reported about a step the greatest counts, in an order that has nothing to do with arrival. So
//! reports may come late, twice, or in any order, and every producer comes to the same result.

use contracts::tasks::{StepReport, StepState};
use time::OffsetDateTime;

use super::{Step, TaskState};

/// A longer error is cut: consumers' logs have the whole of it.
const ERROR_BYTES: usize = 1_000;

/// Takes a report in. Returns whether it changed anything; one about a step that the task does not have does not.
pub(super) fn merge(steps: &mut [Step], report: StepReport) -> bool {
    let Some(step) = steps.iter_mut().find(|step| step.step == report.step) else { return false };
    let reported = Step {
        step: report.step,
        state: report.state,
        attempts: report.attempt,
        at: Some(report.at),
        error: report.error.map(shortened),
    };
    if order(&reported) <= order(step) {
        return false;
    }
    *step = reported;
    true
}

/// What a task has come to: nothing while a step is open.
pub(super) fn outcome(steps: &[Step]) -> Option<TaskState> {
    if steps.is_empty() || !steps.iter().all(|step| step.state.is_final()) {
        return None;
    }
    let any = |state| steps.iter().any(|step| step.state == state);
    Some(if any(StepState::Failed) {
        TaskState::Failed
    } else if any(StepState::Refused) {
        TaskState::Refused
    } else {
        TaskState::Done
    })
}

/// A later try tells more than an earlier one, and an end more than any try. Done is the greatest: what was done stays
/// so even if a copy of the message was refused or parked, and a parked one can be sent again by hand.
fn order(step: &Step) -> (u8, u32, Option<OffsetDateTime>, Option<&str>) {
    let rank = match step.state {
        StepState::Waiting => 0,
        StepState::Retrying => 1,
        StepState::Failed => 2,
        StepState::Refused => 3,
        StepState::Skipped => 4,
        StepState::Done => 5,
    };
    (rank, step.attempts, step.at, step.error.as_deref())
}

/// Postgres cannot hold U+0000, not even in jsonb.
fn shortened(mut error: String) -> String {
    error.truncate(error.floor_char_boundary(ERROR_BYTES));
    if error.contains('\0') { error.replace('\0', "\u{fffd}") } else { error }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const STEPS: [&str; 2] = ["user_tasks", "user_sessions"];

    fn report(step: &str, state: StepState, attempt: u32) -> StepReport {
        let at = OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(i64::from(attempt));
        StepReport { task_id: Uuid::nil(), step: step.to_owned(), state, attempt, error: None, at }
    }

    fn after(reports: &[StepReport]) -> Vec<Step> {
        let mut steps: Vec<Step> = STEPS.iter().map(|step| Step::waiting(step)).collect();
        for report in reports {
            merge(&mut steps, report.clone());
        }
        steps
    }

    fn some_report() -> impl Strategy<Value = StepReport> {
        let state = prop_oneof![
            Just(StepState::Waiting),
            Just(StepState::Retrying),
            Just(StepState::Done),
            Just(StepState::Refused),
            Just(StepState::Failed),
        ];
        let step = prop_oneof![Just("user_tasks"), Just("user_sessions"), Just("somewhere_else")];
        (step, state, 0..4_u32, proptest::option::of("[a-b]{0,2}"), 0..3_i64).prop_map(
            |(step, state, attempt, error, at)| {
                let at = OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(at);
                StepReport { error, at, ..report(step, state, attempt) }
            },
        )
    }

    proptest! {
        #[test]
        fn any_order_and_any_repetition_come_to_the_same(
            (reports, shuffled) in vec(some_report(), 0..8)
                .prop_flat_map(|reports| (Just(reports.clone()), Just([reports.clone(), reports].concat()).prop_shuffle()))
        ) {
            prop_assert_eq!(after(&reports), after(&shuffled));
        }
    }

    #[test]
    fn an_earlier_try_that_is_heard_of_late_changes_nothing() {
        let mut steps = after(&[report("user_tasks", StepState::Retrying, 3)]);
        assert!(!merge(&mut steps, report("user_tasks", StepState::Retrying, 2)));
        assert_eq!(steps[0].attempts, 3);
    }

    #[test]
    fn what_is_done_stays_done_and_what_was_parked_can_still_be_done() {
        let mut steps = after(&[report("user_tasks", StepState::Failed, 5), report("user_tasks", StepState::Done, 1)]);
        assert_eq!(steps[0].state, StepState::Done);
        assert!(!merge(&mut steps, report("user_tasks", StepState::Failed, 9)));
    }

    #[test]
    fn a_task_ends_with_its_last_step() {
        use StepState::{Done, Failed, Refused, Retrying};
        for (first, second, expected) in [
            (Done, Retrying, None),
            (Done, Done, Some(TaskState::Done)),
            (Refused, Done, Some(TaskState::Refused)),
            (Refused, Failed, Some(TaskState::Failed)),
        ] {
            let steps = after(&[report("user_tasks", first, 1), report("user_sessions", second, 1)]);
            assert_eq!(outcome(&steps), expected, "{first:?}, {second:?}");
        }
        assert_eq!(outcome(&[]), None);
    }

    #[test]
    fn an_error_is_made_fit_to_be_stored() {
        assert_eq!(shortened("a\0b".to_owned()), "a\u{fffd}b");
        assert_eq!(shortened("é".repeat(ERROR_BYTES)).len(), ERROR_BYTES);
    }
}
