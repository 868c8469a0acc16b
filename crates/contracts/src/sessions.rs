//! Sessions as Redis holds them: written at login, ended at logout, looked at by every service.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// Under [`user_session_key`]: how a user is known to be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSession {
    /// Whose session it is.
    pub user_id: Uuid,
    /// The user's name.
    pub name: String,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub login_time: OffsetDateTime,
    /// Whether it goes on.
    pub status: SessionStatus,
}

/// Whether a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionStatus {
    /// It does.
    Active,
    /// The user logged out.
    Ended,
}

/// Where the user's newest session is.
pub fn user_session_key(user_id: Uuid) -> String {
    format!("user_session:{user_id}")
}

/// Is there, with any value, from the end of a session until its last access token has expired: tokens that name a session
/// marked so are refused by every service.
pub fn ended_session_key(session_id: Uuid) -> String {
    format!("ended_session:{session_id}")
}
