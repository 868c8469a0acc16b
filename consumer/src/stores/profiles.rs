//! Sessions and cached profiles of users. The newest event about a user decides; what is older changes nothing.

use std::time::Duration;

use contracts::sessions::{SessionStatus, UserSession, user_session_key};
use contracts::users::UserEvent;
use messaging::Failure;
use redis::aio::ConnectionManager;
use redis::{AsyncCommands, RedisError, RedisResult, Script, ScriptInvocation};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::redis::{failure, is_unknown_script};
use super::unversioned_is_beaten;
use super::users::{User, check};
use super::versioned::Held;

/// How long a user's version and deletion are remembered: longer than messages wait to be tried again, or a person takes to
/// send dead letters again.
const TOMBSTONE_TTL: Duration = Duration::from_secs(7 * 24 * 3600);

/// What the script answers when the profile stays as it is.
const UNCHANGED: i64 = 0;

/// What is left of a deleted user.
#[derive(Debug, Serialize, Deserialize)]
struct Tombstone {
    user_id: Uuid,
    version: i64,
    deleted: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Cached {
    Profile(User),
    Gone(Tombstone),
}

/// What the cache knows of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The user.
    Hit(User),
    /// That the user is deleted.
    Deleted,
    /// Nothing.
    Miss,
}

/// Sessions and profiles. Cheap to clone.
#[derive(Clone)]
pub struct Profiles {
    connection: ConnectionManager,
    apply: std::sync::Arc<Script>,
    ttl: Duration,
}

impl std::fmt::Debug for Profiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profiles").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

impl Profiles {
    /// Sessions and profiles that live this long.
    pub fn new(connection: ConnectionManager, ttl: Duration) -> Self {
        Self { connection, apply: Script::new(include_str!("apply_user.lua")).into(), ttl }
    }

    /// Applies events with their versions in one round trip; the verdicts are in their order.
    pub async fn apply(&self, events: &[(&UserEvent, i64)]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let mut pipeline = redis::pipe();
        pipeline.ignore_errors();
        let verdicts: Vec<Result<(), Failure>> = events.iter().map(|(event, _)| check(event)).collect();
        for ((event, version), _) in events.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_ok()) {
            pipeline.invoke_script(&self.invocation(event, *version)?);
        }
        if pipeline.is_empty() {
            return Ok(verdicts);
        }
        let mut results = self.run(&pipeline).await.map_err(|error| failure(&error))?;
        if results.iter().any(|result| result.as_ref().is_err_and(is_unknown_script)) {
            // The server was restarted, or is asked for the first time.
            self.load().await.map_err(|error| failure(&error))?;
            results = self.run(&pipeline).await.map_err(|error| failure(&error))?;
        }
        let mut results = results.into_iter();
        verdicts
            .into_iter()
            .zip(events)
            .map(|(verdict, (_, version))| match verdict {
                Err(rejected) => Ok(Err(rejected)),
                Ok(()) => match results.next() {
                    Some(Ok(UNCHANGED)) if *version == 0 => Ok(Err(unversioned_is_beaten())),
                    Some(Ok(_)) => Ok(Ok(())),
                    Some(Err(error)) => unless_unavailable(failure(&error)),
                    None => Ok(Err(Failure::retry("Redis gave no answer for this message"))),
                },
            })
            .collect()
    }

    async fn run(&self, pipeline: &redis::Pipeline) -> RedisResult<Vec<RedisResult<i64>>> {
        pipeline.query_async(&mut self.connection.clone()).await
    }

    async fn load(&self) -> Result<(), RedisError> {
        self.apply.load_async(&mut self.connection.clone()).await.map(drop)
    }

    fn invocation(&self, event: &UserEvent, version: i64) -> Result<ScriptInvocation<'_>, Failure> {
        let change = match event {
            UserEvent::Created(_) => "created",
            UserEvent::Updated(_) => "updated",
            UserEvent::Deleted(_) => "deleted",
        };
        let (profile, session) = match event.state() {
            Some(state) => {
                let user = User::new(state, version);
                let session = UserSession {
                    user_id: user.user_id,
                    name: user.name.clone(),
                    login_time: user.created_at,
                    status: SessionStatus::Active,
                };
                (json(&user)?, json(&session)?)
            }
            None => (json(&Tombstone { user_id: event.user_id(), version, deleted: true })?, String::new()),
        };
        Ok(self.prepare(event.user_id(), change, version, profile, session))
    }

    fn prepare(&self, id: Uuid, change: &str, version: i64, profile: String, session: String) -> ScriptInvocation<'_> {
        let mut invocation = self.apply.key(profile_key(id));
        invocation
            .key(user_session_key(id))
            .key(mark_key(id))
            .arg(change)
            .arg(version)
            .arg(profile)
            .arg(session)
            .arg(self.ttl.as_secs().max(1))
            .arg(TOMBSTONE_TTL.as_secs());
        invocation
    }

    /// What the cache knows of a user.
    pub async fn get(&self, id: Uuid) -> Result<Lookup, RedisError> {
        let cached: Option<String> = self.connection.clone().get(profile_key(id)).await?;
        // What cannot be read is not ours: it is as if nothing were there.
        Ok(match cached.and_then(|text| serde_json::from_str(&text).ok()) {
            Some(Cached::Profile(user)) => Lookup::Hit(user),
            Some(Cached::Gone(Tombstone { deleted: true, .. })) => Lookup::Deleted,
            _ => Lookup::Miss,
        })
    }

    /// What is held of a user: the profile, or that it was deleted, and the session.
    pub async fn held(&self, id: Uuid) -> Result<(Option<Held>, Option<Held>), RedisError> {
        let texts: (Option<String>, Option<String>) =
            self.connection.clone().mget(&[profile_key(id), user_session_key(id)]).await?;
        Ok((texts.0.map(held), texts.1.map(held)))
    }

    /// Puts a user that was read elsewhere into the cache, unless the cache knows better by now.
    pub async fn refill(&self, user: &User) -> Result<(), Failure> {
        let invocation = self.prepare(user.user_id, "updated", user.version, json(user)?, String::new());
        let refilled: RedisResult<i64> = invocation.invoke_async(&mut self.connection.clone()).await;
        refilled.map(drop).map_err(|error| failure(&error))
    }
}

/// One message's failure, or that of all if the store is down.
fn unless_unavailable(failure: Failure) -> Result<Result<(), Failure>, Failure> {
    match failure.kind {
        messaging::FailureKind::Unavailable => Err(failure),
        _ => Ok(Err(failure)),
    }
}

/// What cannot be read is shown as it is.
fn held(text: String) -> Held {
    let mut data = serde_json::from_str(&text).unwrap_or(Value::String(text));
    let mut part = |name| data.as_object_mut().and_then(|object| object.remove(name));
    let version = part("version").and_then(|version| version.as_i64());
    let deleted = part("deleted") == Some(Value::Bool(true));
    Held { version, deleted, data }
}

fn json<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(Failure::reject)
}

fn profile_key(id: Uuid) -> String {
    format!("user:{id}")
}

/// The newest version and whether the session has begun.
fn mark_key(id: Uuid) -> String {
    format!("user_mark:{id}")
}
