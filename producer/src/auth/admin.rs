//! The first admin, from the settings: without one nobody could make others admins.

use anyhow::{anyhow, bail, ensure};
use axum::extract::State;
use axum::http::StatusCode;
use service::auth::Role;
use service::http::Json;

use super::accounts;
use crate::caller::Caller;
use crate::users::{self, OnFailure, UserBody};
use crate::{App, Config};

/// Makes the admin of the settings, or gives the user with that address and password the role.
pub(crate) async fn ensure_admin(app: &App, config: &Config) -> anyhow::Result<()> {
    let Some((email, password)) = config.admin.named(config.auth.environment)? else { return Ok(()) };
    let refused = |error: service::ApiError| anyhow!("making the admin of ADMIN_EMAIL: {error} {:?}", error.errors());
    // Created first, then found; or found after another producer has created it at the same time.
    for _ in 0..3 {
        if let Some((account, kept)) = accounts::find(&app.auth.pool, email).await? {
            ensure!(
                app.hasher.verify(password, Some(kept)).await.map_err(refused)?,
                "ADMIN_EMAIL is the address of a user whose password is not ADMIN_PASSWORD; nobody was made an admin"
            );
            if !account.roles.is_admin() {
                accounts::grant(&app.auth.pool, account.user_id, Role::Admin).await?;
                tracing::info!(user = %account.user_id, "the user of ADMIN_EMAIL is an admin now");
            }
            return Ok(());
        }
        let body = UserBody {
            name: Some("Admin".to_owned()),
            email: Some(email.to_owned()),
            password: Some(password.clone()),
            preferences: None,
            on_failure: OnFailure::Keep,
        };
        match users::create(State(app.clone()), Caller::itself(), Json(body)).await {
            Ok(_) => {}
            Err(error) if error.status() == StatusCode::CONFLICT => {}
            Err(error) => return Err(refused(error)),
        }
    }
    bail!("the admin of ADMIN_EMAIL was made, and is gone again")
}
