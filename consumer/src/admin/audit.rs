//! Who did what: written down before it is done, with how it went, and refused tries too.

use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use service::ApiResult;
use service::auth::Identity;
use service::http::{Json, Page, Problem, Query};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Admin;
use crate::read::failed;
use crate::stores::audit::{Entry, Outcome};
use crate::stores::{Store, mongodb};

/// A page of what was done.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuditPage {
    /// What was done, the newest first.
    entries: Vec<Entry>,
    /// What to ask the next page with, as `after`; null on the last one.
    next: Option<Uuid>,
}

/// What admins did and others tried, the newest first.
#[utoipa::path(get, path = "/admin/audit", tag = "admin", params(Page), responses(
    (status = 200, description = "A page of entries", body = AuditPage),
    (status = 403, description = "Only an admin may do this", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 422, description = "A parameter is wrong", body = Problem, content_type = Problem::MEDIA_TYPE),
    (status = 503, description = "MongoDB cannot be reached", body = Problem, content_type = Problem::MEDIA_TYPE),
))]
pub(super) async fn list(
    State(admin): State<Admin>,
    identity: Identity,
    Query(page): Query<Page>,
) -> ApiResult<Json<AuditPage>> {
    admin.only_admins(&identity, "read_audit", None, Value::Null).await?;
    let found = admin.stores.audit()?.page(page.after, page.limit()?).await;
    let (entries, next) = found.map_err(|error| failed(Store::Mongodb, mongodb::failure(&error)))?;
    Ok(Json(AuditPage { entries, next }))
}

impl Admin {
    /// Lets an admin pass. Who tries without the right is written down.
    pub(super) async fn only_admins(
        &self,
        identity: &Identity,
        action: &str,
        queue: Option<&str>,
        request: Value,
    ) -> ApiResult<()> {
        let Err(refused) = identity.must_be_admin() else { return Ok(()) };
        let entry = entry(identity, action, queue, request, Outcome::Refused);
        tracing::warn!(by = %entry.by, action, queue, audit = %entry.id, "refused: not an admin");
        // The answer is no, whether that can be written down or not.
        let written = match self.stores.audit() {
            Ok(audit) => audit.write(&entry).await.map_err(anyhow::Error::from),
            Err(not_used) => Err(not_used.into()),
        };
        if let Err(error) = written {
            tracing::error!(%error, audit = %entry.id, "a refused try could not be written down");
        }
        Err(refused)
    }

    /// Writes down what is about to be done. What cannot be written down is not done.
    pub(super) async fn begin(
        &self,
        identity: &Identity,
        action: &str,
        queue: &str,
        request: Value,
    ) -> ApiResult<Uuid> {
        let entry = entry(identity, action, Some(queue), request, Outcome::Started);
        let written = self.stores.audit()?.write(&entry).await;
        written.map_err(|error| failed(Store::Mongodb, mongodb::failure(&error)))?;
        tracing::info!(by = %entry.by, action, queue, request = %entry.request, audit = %entry.id, "an admin begins");
        Ok(entry.id)
    }

    /// Adds how it went. If that cannot be written down, the log line alone tells it.
    pub(super) async fn end(&self, id: Uuid, outcome: Outcome, report: &Value) {
        tracing::info!(audit = %id, ?outcome, %report, "what an admin began has ended");
        let Ok(audit) = self.stores.audit() else { return };
        if let Err(error) = audit.finish(id, outcome, report).await {
            tracing::error!(%error, audit = %id, "the end could not be written down");
        }
    }
}

fn entry(identity: &Identity, action: &str, queue: Option<&str>, request: Value, outcome: Outcome) -> Entry {
    Entry {
        id: Uuid::now_v7(),
        action: action.to_owned(),
        queue: queue.map(str::to_owned),
        by: identity.user_id,
        session_id: identity.session_id,
        at: OffsetDateTime::now_utc(),
        outcome,
        request,
        report: None,
    }
}
