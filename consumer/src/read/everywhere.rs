//! One user as each store has it, and whether they agree. What cannot be asked is named, and the rest is told all the same.

use std::fmt::Display;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use client::{ServiceError, Services};
use serde::Serialize;
use serde_json::Value;
use service::ApiResult;
use service::auth::MaybeIdentity;
use service::http::{Json, Path, Problem, RequestIds};
use tokio::time::timeout;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Reads;
use crate::stores::NotUsed;
use crate::stores::versioned::Held;

/// How long each store may take. They are asked at the same time.
const LIMIT: Duration = Duration::from_secs(2);

const PRODUCER: &str = "producer";

/// A user in every store.
#[derive(Debug, Serialize, ToSchema)]
pub struct Everywhere {
    /// The user.
    user_id: Uuid,
    /// Whether all stores that answered, and tell a version, tell the same one; and whether to all of them the user is there, or
    /// to none. Sessions and cached profiles may have run out.
    agree: bool,
    /// What each store holds.
    stores: Parts,
}

/// What each store holds of a user.
#[derive(Debug, Serialize, ToSchema)]
struct Parts {
    /// What the producer accepted.
    postgres: Part,
    /// The copy that is read.
    mongodb: Part,
    /// The cached profile.
    redis_profile: Part,
    /// The session.
    redis_session: Part,
    /// What the user prefers.
    preferences: Part,
    /// The document that is searched.
    search: Part,
    /// The welcome message. It hears only of creation and deletion, so it has no version that others have.
    welcome: Part,
}

/// What one store holds.
#[derive(Debug, Serialize, ToSchema)]
struct Part {
    /// Whether it is there.
    status: Presence,
    /// The version of the newest change that the store knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    /// As it is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
}

/// How a store has a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Presence {
    /// It is there.
    Present,
    /// Nothing is known of it.
    Absent,
    /// It was there, and is erased.
    Deleted,
    /// The store does not answer, or not in time.
    Unreachable,
    /// This consumer does not use the store.
    NotInUse,
}

impl Part {
    fn bare(status: Presence) -> Self {
        Self { status, version: None, data: None }
    }

    fn held(held: Option<Held>) -> Self {
        match held {
            None => Self::bare(Presence::Absent),
            Some(Held { version, deleted: true, .. }) => Self { version, ..Self::bare(Presence::Deleted) },
            Some(Held { version, data, .. }) => Self { status: Presence::Present, version, data: Some(data) },
        }
    }

    /// What a store answers within the limit.
    async fn asked<E: Display>(store: &'static str, answer: impl Future<Output = Result<Option<Held>, E>>) -> Self {
        in_time(store, answer).await.map_or_else(|| Self::bare(Presence::Unreachable), Self::held)
    }

    /// The same of a store that may not be in use.
    async fn used<S, E: Display, F>(store: &'static str, used: Result<S, NotUsed>, ask: impl FnOnce(S) -> F) -> Self
    where
        F: Future<Output = Result<Option<Held>, E>>,
    {
        match used {
            Ok(used) => Self::asked(store, ask(used)).await,
            Err(NotUsed(_)) => Self::bare(Presence::NotInUse),
        }
    }
}

async fn in_time<T, E: Display>(store: &'static str, answer: impl Future<Output = Result<T, E>>) -> Option<T> {
    match timeout(LIMIT, answer).await {
        Ok(Ok(answer)) => return Some(answer),
        Ok(Err(error)) => tracing::debug!(store, %error, "cannot be asked about a user"),
        Err(_) => tracing::debug!(store, "was asked about a user, and did not answer in time"),
    }
    None
}

impl Parts {
    fn agree(&self) -> bool {
        let Self { postgres, mongodb, redis_profile, redis_session, preferences, search, welcome } = self;
        let lasting = [postgres, mongodb, preferences, search, welcome];
        let passing = [redis_profile, redis_session];
        let is_there = |part: &&Part| match part.status {
            Presence::Present => Some(true),
            Presence::Absent | Presence::Deleted => Some(false),
            Presence::Unreachable | Presence::NotInUse => None,
        };
        let runs_out = |part: &&Part| is_there(part).filter(|_| part.status != Presence::Absent);
        let there: Vec<_> = lasting.iter().filter_map(is_there).chain(passing.iter().filter_map(runs_out)).collect();
        let versions: Vec<_> = lasting.iter().chain(&passing).filter_map(|part| part.version).collect();
        same(&there) && same(&versions)
    }
}

fn same<T: PartialEq>(values: &[T]) -> bool {
    values.windows(2).all(|pair| pair[0] == pair[1])
}

/// A user as each store has it.
#[utoipa::path(get, path = "/users/{id}/everywhere", tag = "users", params(("id" = Uuid, Path, description = "The user's id")),
    responses(
        (status = 200, description = "As much as can be had", body = Everywhere),
        (status = 403, description = "Only an admin may see this", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "This cannot be a user's id", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn everywhere(
    State(reads): State<Reads>,
    identity: MaybeIdentity,
    ids: RequestIds,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
) -> ApiResult<Json<Everywhere>> {
    identity.is_admin()?;
    let stores = &reads.stores;
    let (postgres, mongodb, (redis_profile, redis_session), preferences, search, mut welcome) = tokio::join!(
        Part::asked("postgres", in_postgres(&reads.services, id, &ids, &headers)),
        Part::used("mongodb", stores.users(), |users| users.held(id)),
        in_redis(&reads, id),
        Part::used("preferences", stores.preferences(), |preferences| preferences.held(id)),
        Part::used("search", stores.search(), |search| search.user(id)),
        Part::used("welcome", stores.welcomes(), |welcomes| welcomes.held(id)),
    );
    if welcome.status == Presence::Present {
        welcome.version = None;
    }
    let stores = Parts { postgres, mongodb, redis_profile, redis_session, preferences, search, welcome };
    Ok(Json(Everywhere { user_id: id, agree: stores.agree(), stores }))
}

/// What the producer tells of a user, to whoever asks here.
async fn in_postgres(
    services: &Services,
    id: Uuid,
    ids: &RequestIds,
    headers: &HeaderMap,
) -> Result<Option<Held>, ServiceError> {
    // Time for another instance, should the first hang.
    let call = services.service(PRODUCER).get(&format!("/users/{id}")).timeout(LIMIT / 2);
    let mut call = call.ids(ids.request_id(), ids.correlation_id());
    if let Some(token) = headers.get(AUTHORIZATION) {
        call = call.header(AUTHORIZATION, token.clone());
    }
    let mut user: serde_json::Map<String, Value> = match call.send().await {
        Ok(user) => user,
        Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => return Ok(None),
        Err(error) => return Err(error),
    };
    let version = user.remove("version").and_then(|version| version.as_i64());
    Ok(Some(Held { version, deleted: false, data: Value::Object(user) }))
}

/// The profile and the session.
async fn in_redis(reads: &Reads, id: Uuid) -> (Part, Part) {
    let Ok(profiles) = reads.stores.profiles() else {
        return (Part::bare(Presence::NotInUse), Part::bare(Presence::NotInUse));
    };
    match in_time("redis", profiles.held(id)).await {
        Some((profile, session)) => (Part::held(profile), Part::held(session)),
        None => (Part::bare(Presence::Unreachable), Part::bare(Presence::Unreachable)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(status: Presence, version: Option<i64>) -> Part {
        Part { status, version, data: None }
    }

    /// All of them at version 3, but the session, which has none, and the search, which is not there.
    fn parts(status: Presence) -> Parts {
        let at_3 = || part(status, Some(3));
        Parts {
            postgres: at_3(),
            mongodb: at_3(),
            redis_profile: at_3(),
            redis_session: part(status, None),
            preferences: at_3(),
            search: part(Presence::NotInUse, None),
            welcome: part(status, None),
        }
    }

    #[test]
    fn stores_agree_when_they_tell_the_same_of_a_user() {
        assert!(parts(Presence::Present).agree() && parts(Presence::Deleted).agree());
        let erased = Parts { postgres: part(Presence::Absent, None), ..parts(Presence::Deleted) };
        assert!(erased.agree(), "the producer does not tell of the deleted");
        let away = Parts { mongodb: part(Presence::Unreachable, None), ..parts(Presence::Present) };
        assert!(away.agree());
        let (gone, none) = (part(Presence::Absent, None), part(Presence::Absent, None));
        assert!(Parts { redis_profile: gone, redis_session: none, ..parts(Presence::Present) }.agree(), "both ran out");
    }

    #[test]
    fn stores_disagree_about_a_version_and_about_whether_a_user_is_there() {
        let wrong = [
            Parts { mongodb: part(Presence::Present, Some(2)), ..parts(Presence::Present) },
            Parts { search: part(Presence::Absent, None), ..parts(Presence::Present) },
            Parts { welcome: part(Presence::Absent, None), ..parts(Presence::Present) },
            Parts { preferences: part(Presence::Deleted, Some(3)), ..parts(Presence::Present) },
            Parts { redis_profile: part(Presence::Deleted, Some(3)), ..parts(Presence::Present) },
            Parts { redis_session: part(Presence::Present, None), ..parts(Presence::Deleted) },
            Parts { postgres: part(Presence::Present, Some(3)), ..parts(Presence::Deleted) },
        ];
        for parts in wrong {
            assert!(!parts.agree(), "{parts:?}");
        }
    }
}
