//! What becomes of a task that is undone when a step of it is parked: the decisions, and nothing else.
//!
//! Until the user is deleted nothing is decided: if the parked step is done after all, because its message was sent again
//! by hand, the task goes on as if nothing had been. From then on there is no way back, whatever else is reported.

use std::time::Duration;

use contracts::tasks::StepState;

use crate::tasks::merge::outcome;
use crate::tasks::{Step, TaskState};

/// How often is looked for something to do.
pub(crate) const EVERY: Duration = Duration::from_millis(250);
/// How seldom a deletion is looked at that takes long.
const SELDOM: Duration = Duration::from_secs(10);

/// How a task stands when something is reported about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) outcome: Option<TaskState>,
    /// It is to be undone when a step is parked.
    pub(crate) undoable: bool,
    /// The user has been deleted for it.
    pub(crate) begun: bool,
}

/// What a task has come to, with its steps as they are now. One that is undone does not wait for its other steps: a
/// deletion is newer than they are, so whenever they are done they change nothing.
pub(crate) fn after_report(standing: Standing, steps: &[Step]) -> Option<TaskState> {
    match standing.outcome {
        Some(TaskState::RolledBack) => Some(TaskState::RolledBack),
        Some(TaskState::RollingBack) if standing.begun => Some(TaskState::RollingBack),
        _ if standing.undoable && steps.iter().any(|step| step.state == StepState::Failed) => {
            Some(TaskState::RollingBack)
        }
        _ => outcome(steps),
    }
}

/// The user that a rollback deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum User {
    /// It is there, perhaps changed since it was created.
    Live,
    /// Somebody else has deleted it.
    Deleted,
    /// Another transaction is at it.
    Held,
}

/// What the leader does about a task.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Deletes the user.
    Delete,
    /// Nothing is left to be done.
    End,
    /// Looks again, after a while; the deletion is stuck for this reason.
    Wait(Duration, Option<String>),
}

/// What is next for a rollback that has not begun.
pub(super) fn begin(user: User) -> Next {
    match user {
        User::Live => Next::Delete,
        User::Deleted => Next::End,
        User::Held => Next::Wait(EVERY, None),
    }
}

/// What is next for one that has, as its deletion has come to `outcome` and was accepted so long ago.
pub(super) fn follow(outcome: Option<TaskState>, steps: &[Step], age: Duration) -> Next {
    let wait = (age / 4).clamp(EVERY, SELDOM);
    match outcome {
        Some(TaskState::Done) => Next::End,
        Some(_) => Next::Wait(wait, Some(format!("the user is not deleted everywhere: {}", reason(steps)))),
        None => Next::Wait(wait, None),
    }
}

/// Which step was parked or refused, and why.
pub(super) fn reason(steps: &[Step]) -> String {
    let of = |state| steps.iter().find(|step| step.state == state);
    match of(StepState::Failed).or_else(|| of(StepState::Refused)) {
        Some(step) => {
            let verb = if step.state == StepState::Failed { "parked" } else { "refused" };
            let why = step.error.as_deref().unwrap_or("no reason was given");
            format!("the step {} was {verb}: {why}", step.step)
        }
        None => "a step was parked, and is not any more".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(states: &[StepState]) -> Vec<Step> {
        let step = |(number, &state): (usize, &StepState)| Step {
            state,
            error: Some("why".to_owned()),
            ..Step::waiting(&format!("step_{number}"))
        };
        states.iter().enumerate().map(step).collect()
    }

    fn standing(outcome: Option<TaskState>, undoable: bool, begun: bool) -> Standing {
        Standing { outcome, undoable, begun }
    }

    #[test]
    fn a_task_is_undone_as_soon_as_one_step_is_parked_if_it_is_to_be() {
        use StepState::{Done, Failed, Refused, Retrying, Skipped};
        for (states, undoable, expected) in [
            ([Failed, Retrying], true, Some(TaskState::RollingBack)),
            ([Failed, Retrying], false, None),
            ([Failed, Done], false, Some(TaskState::Failed)),
            ([Refused, Done], true, Some(TaskState::Refused)),
            ([Skipped, Done], true, Some(TaskState::Done)),
            ([Skipped, Skipped], false, Some(TaskState::Done)),
        ] {
            let came = after_report(standing(None, undoable, false), &steps(&states));
            assert_eq!(came, expected, "{states:?}");
        }
    }

    #[test]
    fn a_step_that_is_done_after_all_ends_a_rollback_only_before_it_has_begun() {
        let done = steps(&[StepState::Done, StepState::Done]);
        let half = steps(&[StepState::Done, StepState::Retrying]);
        let rolling = |begun| standing(Some(TaskState::RollingBack), true, begun);
        assert_eq!(after_report(rolling(false), &done), Some(TaskState::Done));
        assert_eq!(after_report(rolling(false), &half), None);
        assert_eq!(after_report(rolling(true), &done), Some(TaskState::RollingBack));
        let over = standing(Some(TaskState::RolledBack), true, false);
        assert_eq!(after_report(over, &done), Some(TaskState::RolledBack));
    }

    #[test]
    fn a_rollback_begins_with_the_user_and_ends_with_the_deletion() {
        assert_eq!(begin(User::Live), Next::Delete);
        assert_eq!(begin(User::Deleted), Next::End);
        assert_eq!(begin(User::Held), Next::Wait(EVERY, None));
        let follow = |outcome, states: &[StepState], secs| follow(outcome, &steps(states), Duration::from_secs(secs));
        assert_eq!(follow(Some(TaskState::Done), &[StepState::Done], 0), Next::End);
        assert_eq!(follow(None, &[StepState::Retrying], 0), Next::Wait(EVERY, None));
        assert_eq!(follow(None, &[StepState::Retrying], 8), Next::Wait(Duration::from_secs(2), None));
        assert_eq!(follow(None, &[StepState::Retrying], 3600), Next::Wait(SELDOM, None));
        let stuck = "the user is not deleted everywhere: the step step_1 was parked: why".to_owned();
        let parked = [StepState::Done, StepState::Failed];
        assert_eq!(follow(Some(TaskState::Failed), &parked, 0), Next::Wait(EVERY, Some(stuck)));
    }
}
