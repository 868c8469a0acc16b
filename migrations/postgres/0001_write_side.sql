-- The write side's state. Whatever changes it stores a message in the outbox in the same transaction; the schema
-- `outbox` is the messaging library's, which installs it by itself.

-- A deleted user stays as a tombstone that keeps only its version.
CREATE TABLE users (
    id            uuid PRIMARY KEY,
    name          text,
    email         text,
    -- The address in lower case: two users may not differ in case alone. NULL once deleted, so it is free again.
    email_key     text UNIQUE,
    password_hash text,
    -- Incremented under the row's lock.
    version       bigint NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    deleted_at    timestamptz,
    CHECK (num_nulls(name, email, email_key, password_hash) = CASE WHEN deleted_at IS NULL THEN 0 ELSE 4 END)
);

-- A deleted record stays as a tombstone, so that the versions of its SRN never start anew.
CREATE TABLE records (
    srn     text COLLATE "C" PRIMARY KEY,
    name    text,
    section text,
    -- Incremented under the row's lock.
    version bigint NOT NULL,
    live    boolean NOT NULL,
    CHECK (num_nulls(name, section) = CASE WHEN live THEN 0 ELSE 2 END)
) WITH (fillfactor = 90);

-- What was accepted, and how far it is. A task is accepted while its message is in the outbox, then published, until
-- it has an outcome.
--
-- The indexes leave `published_at`, `reported_at` and `steps` alone and the pages have room, so that all updates but
-- the last are heap-only.
CREATE TABLE tasks (
    -- Also the message's id, however often it is sent.
    id           uuid PRIMARY KEY,
    kind         text NOT NULL,
    subject      text NOT NULL,
    steps        jsonb NOT NULL,
    -- All it takes to send the message again; NULL once the task has ended.
    message      text,
    outcome      text CHECK (outcome IN ('done', 'failed', 'refused')),
    accepted_at  timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    reported_at  timestamptz,
    ended_at     timestamptz,
    -- When the reconciler looks at it next.
    reconcile_at timestamptz NOT NULL,
    republished  integer NOT NULL DEFAULT 0
) WITH (fillfactor = 80);

CREATE INDEX tasks_unfinished ON tasks (reconcile_at) WHERE outcome IS NULL;
CREATE INDEX tasks_unhappy ON tasks (outcome, id) WHERE outcome IN ('failed', 'refused');

-- Answers to writes that may be repeated, by the client's Idempotency-Key. Kept for a day.
CREATE TABLE idempotency_keys (
    -- The operation; keys of different operations have nothing to do with each other.
    scope        text NOT NULL,
    key          text COLLATE "C" NOT NULL,
    request_hash bytea NOT NULL,
    task_id      uuid NOT NULL,
    response     text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
);

CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
