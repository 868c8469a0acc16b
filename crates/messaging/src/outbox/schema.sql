-- The outbox's tables. `Outbox::install` runs this once, in one transaction.

CREATE SCHEMA IF NOT EXISTS outbox;

CREATE SEQUENCE outbox.message_seq;

-- A register, not a counter: its value is the segment that writers append to. A table's row would gain a version with
-- each switch, and while some session holds an old snapshot none of them could be pruned. A sequence never has versions.
CREATE SEQUENCE outbox.current_segment MINVALUE 0 START 0;

CREATE TABLE outbox.message (
    xid            xid8        NOT NULL DEFAULT pg_current_xact_id(),
    seq            bigint      NOT NULL DEFAULT nextval('outbox.message_seq'),
    created_at     timestamptz NOT NULL DEFAULT now(),
    expiration_ms  bigint,
    id             uuid        NOT NULL,
    segment        smallint    NOT NULL,
    exchange       text        NOT NULL,
    routing_key    text        NOT NULL,
    kind           text        NOT NULL,
    correlation_id text,
    reply_to       text,
    -- Not jsonb: nobody searches it, and a NUL in a header, which jsonb refuses, must not fail a whole group of writes.
    headers        json        NOT NULL,
    body           bytea       NOT NULL
) PARTITION BY LIST (segment);

-- Rows live for seconds: compressing them costs more than it saves.
ALTER TABLE outbox.message ALTER COLUMN body SET STORAGE EXTERNAL;

-- Segments are only appended to and truncated, so there is nothing to vacuum, and a vacuum would be in TRUNCATE's way.
CREATE TABLE outbox.message_0 PARTITION OF outbox.message FOR VALUES IN (0)
    WITH (autovacuum_enabled = false, toast.autovacuum_enabled = false);
CREATE TABLE outbox.message_1 PARTITION OF outbox.message FOR VALUES IN (1)
    WITH (autovacuum_enabled = false, toast.autovacuum_enabled = false);
CREATE TABLE outbox.message_2 PARTITION OF outbox.message FOR VALUES IN (2)
    WITH (autovacuum_enabled = false, toast.autovacuum_enabled = false);

CREATE INDEX message_position ON outbox.message (xid, seq);

-- How far the relay is: the newest row counts. Appended to and truncated, for the same reason.
CREATE TABLE outbox.progress (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Whose transaction ids these are.
    cluster     bigint      NOT NULL,
    -- All that is visible in it is settled: confirmed or parked.
    done        pg_snapshot NOT NULL,
    -- The value of message_seq when `done` was taken.
    done_seq    bigint      NOT NULL,
    -- The tick under way: what is visible in `target` and not in `done` is settled up to (at_xid, at_seq).
    target      pg_snapshot,
    target_seq  bigint,
    at_xid      xid8,
    at_seq      bigint,
    tick_rows   bigint      NOT NULL DEFAULT 0,
    -- How many rows outbox.parked has.
    parked      bigint      NOT NULL DEFAULT 0,
    CHECK ((target IS NULL) = (at_xid IS NULL) AND (target IS NULL) = (at_seq IS NULL) AND (target IS NULL) = (target_seq IS NULL))
) WITH (autovacuum_enabled = false);

-- Messages that could not be sent and must not hold up the rest.
CREATE TABLE outbox.parked (
    parked_at      timestamptz NOT NULL DEFAULT now(),
    -- None: not tried again until an operator says so.
    next_try_at    timestamptz,
    attempts       integer     NOT NULL DEFAULT 1,
    reason         text        NOT NULL,
    detail         text        NOT NULL,
    expiration_ms  bigint,
    id             uuid        NOT NULL,
    exchange       text        NOT NULL,
    routing_key    text        NOT NULL,
    kind           text        NOT NULL,
    correlation_id text,
    reply_to       text,
    headers        json        NOT NULL,
    body           bytea       NOT NULL,
    PRIMARY KEY (id, exchange, routing_key)
);

CREATE INDEX parked_due ON outbox.parked (next_try_at) WHERE next_try_at IS NOT NULL;

INSERT INTO outbox.progress (cluster, done, done_seq)
SELECT system_identifier, '1:1:', 0 FROM pg_control_system();
