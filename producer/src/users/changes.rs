//! Users created, updated and deleted.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use contracts::users::{UserCreated, UserDeleted, UserState, UserUpdated};
use serde::Serialize;
use service::http::Precondition;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{OnFailure, Preferences};
use crate::lane::{Abort, Applied, Change, Refusal, Verdict};

const TAKEN: Refusal = Refusal::Conflict("a user with this e-mail address exists");
const UNKNOWN: Refusal = Refusal::Missing("there is no user with this id");

/// A change of one user.
#[derive(Debug)]
pub(crate) enum UserChange {
    /// A new one.
    Create(NewUser),
    /// Another name or address, other preferences.
    Update { id: Uuid, changed: Changed, precondition: Precondition },
    /// Away with the user; a tombstone stays.
    Delete { id: Uuid, precondition: Precondition },
}

/// A user to be created.
#[derive(Debug)]
pub(crate) struct NewUser {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) password_hash: String,
    pub(crate) preferences: Option<Preferences>,
    pub(crate) on_failure: OnFailure,
}

/// What is to change of a user.
#[derive(Debug)]
pub(crate) struct Changed {
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) preferences: Option<Preferences>,
}

/// A user whose row is locked.
struct Known {
    name: String,
    email: String,
    preferences: Option<Preferences>,
    version: i64,
    created_at: OffsetDateTime,
}

impl Change for UserChange {
    const LANE: &'static str = "users";

    fn key(&self) -> Option<String> {
        let (Self::Create(NewUser { id, .. }) | Self::Update { id, .. } | Self::Delete { id, .. }) = self;
        Some(id.to_string())
    }

    fn rollback_user(&self) -> Option<Uuid> {
        match self {
            Self::Create(user) => (user.on_failure == OnFailure::Rollback).then_some(user.id),
            Self::Update { .. } | Self::Delete { .. } => None,
        }
    }

    /// All changes of a batch are in flight at the same time, so any order of them is right: those of users there are
    /// come first, one by one, then all new ones together.
    async fn apply(connection: &mut PgConnection, changes: &[&Self]) -> Result<Vec<Verdict>, Abort> {
        let mut known = lock(connection, changes).await?;
        let mut verdicts: Vec<Verdict> = changes.iter().map(|_| Err(TAKEN)).collect();
        for (change, verdict) in changes.iter().zip(&mut verdicts) {
            *verdict = match change {
                Self::Create(_) => continue,
                Self::Update { id, changed, precondition } => match admit(&known, id, precondition) {
                    Ok(user) => update(connection, *id, user, changed).await?.map(|(user, applied)| {
                        known.insert(*id, user);
                        applied
                    }),
                    Err(refusal) => Err(refusal),
                },
                Self::Delete { id, precondition } => match admit(&known, id, precondition) {
                    Ok(_) => {
                        known.remove(id);
                        Ok(delete_user(connection, *id).await?)
                    }
                    Err(refusal) => Err(refusal),
                },
            };
        }
        create(connection, changes, &mut verdicts).await?;
        Ok(verdicts)
    }
}

async fn lock(connection: &mut PgConnection, changes: &[&UserChange]) -> Result<HashMap<Uuid, Known>, sqlx::Error> {
    let ids: HashSet<Uuid> = changes
        .iter()
        .filter_map(|change| match change {
            UserChange::Create(_) => None,
            UserChange::Update { id, .. } | UserChange::Delete { id, .. } => Some(*id),
        })
        .collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let rows = sqlx::query!(
        r#"SELECT id, name AS "name!", email AS "email!", preferences AS "preferences: Json<Preferences>", version, created_at
           FROM users WHERE id = ANY($1) AND deleted_at IS NULL ORDER BY id FOR UPDATE"#,
        &ids
    )
    .fetch_all(connection)
    .await?;
    let known = rows.into_iter().map(|row| {
        let preferences = row.preferences.map(|Json(preferences)| preferences);
        let (name, email, version, created_at) = (row.name, row.email, row.version, row.created_at);
        (row.id, Known { name, email, preferences, version, created_at })
    });
    Ok(known.collect())
}

fn admit<'a>(known: &'a HashMap<Uuid, Known>, id: &Uuid, precondition: &Precondition) -> Result<&'a Known, Refusal> {
    let user = known.get(id).ok_or(UNKNOWN)?;
    if precondition.holds(user.version) { Ok(user) } else { Err(Refusal::Stale) }
}

/// The address in the form by which two are the same.
pub(crate) fn email_key(email: &str) -> String {
    email.to_lowercase()
}

async fn update(
    connection: &mut PgConnection,
    id: Uuid,
    user: &Known,
    changed: &Changed,
) -> Result<Result<(Known, Applied), Refusal>, sqlx::Error> {
    let name = changed.name.as_ref().unwrap_or(&user.name);
    let email = changed.email.as_ref().unwrap_or(&user.email);
    let preferences = changed.preferences.as_ref().or(user.preferences.as_ref());
    // A savepoint: an address that is taken must not take the rest of the batch with it.
    let mut savepoint = connection.begin().await?;
    let updated = sqlx::query!(
        "UPDATE users SET name = $2, email = $3, email_key = $4, preferences = $5, version = version + 1, updated_at = now()
         WHERE id = $1 RETURNING version, updated_at",
        id,
        name,
        email,
        email_key(email),
        preferences.map(Json) as Option<Json<&Preferences>>,
    )
    .fetch_one(&mut *savepoint)
    .await;
    let row = match updated {
        Ok(row) => row,
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
            savepoint.rollback().await?;
            return Ok(Err(TAKEN));
        }
        Err(error) => return Err(error),
    };
    savepoint.commit().await?;
    let state = UserState {
        user_id: id,
        name: name.clone(),
        email: email.clone(),
        preferences: preferences.cloned(),
        created_at: user.created_at,
        updated_at: row.updated_at,
    };
    let applied = applied(row.version, &UserUpdated(state.clone()));
    let UserState { name, email, preferences, created_at, .. } = state;
    Ok(Ok((Known { name, email, preferences, version: row.version, created_at }, applied)))
}

/// Leaves a tombstone of a user that is there and whose row is locked: a version, and times. The user's sessions end, and
/// are swept as soon as every service knows.
pub(crate) async fn delete_user(connection: &mut PgConnection, id: Uuid) -> Result<Applied, sqlx::Error> {
    let row = sqlx::query!(
        r#"UPDATE users SET name = NULL, email = NULL, email_key = NULL, password_hash = NULL, preferences = NULL,
                            roles = DEFAULT, version = version + 1, updated_at = now(), deleted_at = now()
           WHERE id = $1 RETURNING version, updated_at"#,
        id
    )
    .fetch_one(&mut *connection)
    .await?;
    sqlx::query!(
        "UPDATE sessions SET ended_at = coalesce(ended_at, now()), expires_at = least(expires_at, now()) WHERE user_id = $1",
        id,
    )
    .execute(connection)
    .await?;
    Ok(applied(row.version, &UserDeleted { user_id: id, deleted_at: row.updated_at }))
}

/// Creates all new users of a batch; those whose address is taken keep their refusal.
async fn create(connection: &mut PgConnection, changes: &[&UserChange], verdicts: &mut [Verdict]) -> Result<(), Abort> {
    let mut new: Vec<(String, usize, &NewUser)> = changes
        .iter()
        .enumerate()
        .filter_map(|(at, change)| match change {
            UserChange::Create(user) => Some((email_key(&user.email), at, user)),
            _ => None,
        })
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    // In one order for all producers; of two with the same address the first comes first.
    new.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
    let rows = sqlx::query!(
        "INSERT INTO users (id, name, email, email_key, password_hash, preferences, version, created_at, updated_at)
         SELECT id, name, email, email_key, password_hash, preferences, 1, now(), now()
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
              AS u(id, name, email, email_key, password_hash, preferences)
         ON CONFLICT (email_key) DO NOTHING
         RETURNING id, created_at",
        &new.iter().map(|(_, _, user)| user.id).collect::<Vec<_>>(),
        &new.iter().map(|(_, _, user)| user.name.as_str()).collect::<Vec<_>>() as &[&str],
        &new.iter().map(|(_, _, user)| user.email.as_str()).collect::<Vec<_>>() as &[&str],
        &new.iter().map(|(key, _, _)| key.as_str()).collect::<Vec<_>>() as &[&str],
        &new.iter().map(|(_, _, user)| user.password_hash.as_str()).collect::<Vec<_>>() as &[&str],
        &new.iter().map(|(_, _, user)| user.preferences.as_ref().map(Json)).collect::<Vec<_>>()
            as &[Option<Json<&Preferences>>],
    )
    .fetch_all(connection)
    .await?;
    let created: HashMap<Uuid, OffsetDateTime> = rows.into_iter().map(|row| (row.id, row.created_at)).collect();
    for (_, at, user) in new {
        if let Some(&created_at) = created.get(&user.id) {
            let (name, email, preferences) = (user.name.clone(), user.email.clone(), user.preferences.clone());
            let state = UserState { user_id: user.id, name, email, preferences, created_at, updated_at: created_at };
            verdicts[at] = Ok(applied(1, &UserCreated(state)));
        }
    }
    Ok(())
}

fn applied(version: i64, event: &impl Serialize) -> Applied {
    let body = serde_json::to_vec(event).expect("events are plain data, which always has a JSON form");
    Applied { version: Some(version), body: Some(Bytes::from(body)) }
}
