//! Marks tasks as published when the broker has confirmed their messages.

use messaging::outbox::ConfirmedHook;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

/// Runs in the transaction that advances the relay's cursor: a task that is only accepted is surely in the outbox.
#[derive(Debug)]
pub(crate) struct MarkPublished;

impl ConfirmedHook for MarkPublished {
    async fn confirmed(&self, connection: &mut PgConnection, ids: &[Uuid]) -> Result<(), sqlx::Error> {
        // This waits for rows that reports have locked, which is no deadlock because reports never wait for these.
        sqlx::query!("UPDATE tasks SET published_at = now() WHERE id = ANY($1) AND published_at IS NULL", ids)
            .execute(connection)
            .await
            .map(drop)
    }
}
