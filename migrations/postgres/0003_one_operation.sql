-- One operation across every store: what a user prefers, and what is undone when a part of it fails.

-- NULL: nothing was ever said, or the user is deleted.
ALTER TABLE users ADD COLUMN preferences jsonb;
ALTER TABLE users ADD CHECK (deleted_at IS NULL OR preferences IS NULL);

-- A task that is to be undone when a step of it is parked goes on to `rolling_back`, and ends as `rolled_back`.
ALTER TABLE tasks DROP CONSTRAINT tasks_outcome_check;
ALTER TABLE tasks ADD CONSTRAINT tasks_outcome_check
    CHECK (outcome IN ('done', 'failed', 'refused', 'rolling_back', 'rolled_back'));
-- The user to be deleted again when a step is parked; NULL where what was done is to stay.
ALTER TABLE tasks ADD COLUMN rollback_user_id uuid;
-- The deletion's own task; NULL before the rollback has begun, or if somebody else had deleted the user.
ALTER TABLE tasks ADD COLUMN rollback_task_id uuid;
-- The task that this deletion undoes.
ALTER TABLE tasks ADD COLUMN rollback_of uuid;
-- Why it is undone.
ALTER TABLE tasks ADD COLUMN reason text;
-- Why the deletion has not ended: a step of it is parked as well.
ALTER TABLE tasks ADD COLUMN rollback_stuck text;

-- A rollback is looked at when its `reconcile_at` has come, as a task that has not ended.
CREATE INDEX tasks_rolling_back ON tasks (reconcile_at) WHERE outcome = 'rolling_back';
CREATE INDEX tasks_undone ON tasks (outcome, id) WHERE outcome IN ('rolling_back', 'rolled_back');

-- All sessions of a user, ended ones too: they go when the user is deleted.
DROP INDEX sessions_of_user;
CREATE INDEX sessions_of_user ON sessions (user_id);
