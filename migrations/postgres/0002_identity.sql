-- Who the users are when they ask: roles, sessions, and whose a task is.

-- Names that no program knows are left out.
ALTER TABLE users ADD COLUMN roles text[] NOT NULL DEFAULT '{user}';

-- Who asked for it; NULL if that was not known.
ALTER TABLE tasks ADD COLUMN owner_id uuid;
CREATE INDEX tasks_of_owner ON tasks (owner_id, id) WHERE owner_id IS NOT NULL;

-- From a login to a logout. All access tokens of a session name it, and its refresh tokens are one family.
CREATE TABLE sessions (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id),
    started_at timestamptz NOT NULL DEFAULT now(),
    -- When its newest refresh token expires.
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,
    -- Whether Redis, and so every service, knows that it has ended.
    told       boolean NOT NULL DEFAULT false
);

CREATE INDEX sessions_of_user ON sessions (user_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_untold ON sessions (ended_at) WHERE ended_at IS NOT NULL AND NOT told;
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Each is used once; one that is used again was stolen, from whom or by whom is not known.
CREATE TABLE refresh_tokens (
    -- SHA-256 of the token: it is random enough that nothing slower is needed.
    hash       bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);

CREATE INDEX refresh_tokens_of_session ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);
