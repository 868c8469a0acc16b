//! Finding users and products by what somebody types.

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use service::auth::missing_token;
use service::http::{FieldError, Json, Problem, Query};
use service::{ApiError, ApiResult};
use utoipa::IntoParams;

use super::{RETRY_AFTER, Reads, failed};
use crate::search::{Cursor, Found, Kind, Search};
use crate::stores::{Store, Stores};

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;
const MAX_CHARS: usize = 200;

/// What is searched for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// What somebody types: words, the beginning of one as the last of them, and typing errors. No part of it is syntax.
    #[param(example = "tea pot", min_length = 1, max_length = 200)]
    q: String,
    /// What to search.
    #[param(inline)]
    kind: Kind,
    /// How many at most; 20 if not given.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
    /// Where to go on: `next` of the page before.
    after: Option<String>,
}

/// What was asked, as it is worked with.
struct Asked {
    text: String,
    limit: usize,
    after: Option<Cursor>,
}

impl Wanted {
    fn checked(&self) -> ApiResult<Asked> {
        let mut errors = Vec::new();
        let text = self.q.trim();
        match text.chars().count() {
            1..=MAX_CHARS if text.chars().any(char::is_control) => {
                errors.push(FieldError::new("q", "must not hold control characters"));
            }
            1..=MAX_CHARS => {}
            _ => errors.push(FieldError::new("q", format!("must have from 1 to {MAX_CHARS} characters"))),
        }
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            errors.push(FieldError::new("limit", format!("must be from 1 to {MAX_LIMIT}")));
        }
        let after = self.after.as_deref().map(str::parse).transpose().unwrap_or_else(|error| {
            errors.push(FieldError::new("after", format!("{error}")));
            None
        });
        match errors.is_empty() {
            true => Ok(Asked { text: text.to_owned(), limit: limit as usize, after }),
            false => Err(ApiError::unprocessable(errors)),
        }
    }
}

/// Users or products that match what somebody types.
///
/// The best come first: all of it, its words, words that begin so, and words that are similar. What was changed within the last
/// second may not be found yet.
#[utoipa::path(get, path = "/search", tag = "search", params(Wanted), security(("bearer" = []), ()), responses(
    (status = 200, description = "A page of what was found", body = Found),
    (status = 401, description = "Users are searched by an admin only", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 403, description = "Users are searched by an admin only", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 422, description = "A parameter is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "The search cannot be reached, or there is none", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
pub(super) async fn search(
    State(reads): State<Reads>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> ApiResult<Json<Found>> {
    if wanted.kind == Kind::Users {
        may_see_users(&reads, &headers).await?;
    }
    let Asked { text, limit, after } = wanted.checked()?;
    let found = used(&reads.stores)?.find(wanted.kind, &text, limit, after).await;
    found.map(Json).map_err(|error| failed(Store::Search, error.failure()))
}

/// Products are for everybody to see, so the route is not guarded, not by the gateway either; users and their addresses are for
/// admins alone, in development too.
async fn may_see_users(reads: &Reads, headers: &HeaderMap) -> ApiResult<()> {
    match reads.verifier.identity(headers).await? {
        None => Err(missing_token()),
        Some(identity) => identity.must_be_admin(),
    }
}

/// The search, if there is one.
pub(super) fn used(stores: &Stores) -> ApiResult<&Search> {
    stores.search().map_err(|_| ApiError::unavailable("no search is configured here", RETRY_AFTER))
}
