//! Users as a login needs them.

use service::auth::{Role, Roles};
use sqlx::postgres::PgPool;
use uuid::Uuid;

use crate::users::email_key;

/// A user.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) user_id: Uuid,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) roles: Roles,
}

/// Roles by their names; a name that this program does not know gives no right.
pub(super) fn roles(names: &[String]) -> Roles {
    names.iter().filter_map(|name| Role::named(name)).collect()
}

/// The user with this address, with the hash of the password.
pub(super) async fn find(pool: &PgPool, email: &str) -> Result<Option<(Account, String)>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT id, name AS "name!", email AS "email!", password_hash AS "password_hash!", roles FROM users
           WHERE email_key = $1 AND deleted_at IS NULL"#,
        email_key(email),
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| {
        let account = Account { user_id: row.id, name: row.name, email: row.email, roles: roles(&row.roles) };
        (account, row.password_hash)
    }))
}

/// Gives a user the role, beside those that there are.
pub(super) async fn grant(pool: &PgPool, user_id: Uuid, role: Role) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE users SET roles = array_append(roles, $2) WHERE id = $1 AND NOT $2 = ANY(roles)",
        user_id,
        role.as_str(),
    )
    .execute(pool)
    .await
    .map(drop)
}
