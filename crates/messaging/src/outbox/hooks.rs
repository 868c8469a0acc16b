//! What a program adds to the relay.

use futures_util::future::BoxFuture;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

/// Records that messages were confirmed.
///
/// It runs in the transaction that advances the relay's cursor. That transaction does not wait for the disk: if the
/// database crashes, the record can be lost together with the cursor, and then the messages are sent and the hook is
/// called again. So it must be repeatable, and must not enqueue anything.
pub trait ConfirmedHook: Send + Sync + 'static {
    /// Called with the ids that were just confirmed; one may come twice.
    fn confirmed(
        &self,
        connection: &mut PgConnection,
        ids: &[Uuid],
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

/// A job that only one of several processes is to do: the one whose relay leads.
///
/// It runs in a transaction of its own on the leader's session, and no message is read meanwhile: do a bounded amount
/// each time. It may enqueue messages.
pub trait LeaderTask: Send + Sync + 'static {
    /// Does it once. An error undoes this time's work; the next time comes as usual.
    fn run(&self, connection: &mut PgConnection) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

/// [`ConfirmedHook`] in a form that can be stored.
pub(super) trait AnyHook: Send + Sync {
    fn call<'a>(&'a self, connection: &'a mut PgConnection, ids: &'a [Uuid]) -> BoxFuture<'a, Result<(), sqlx::Error>>;
}

impl<T: ConfirmedHook> AnyHook for T {
    fn call<'a>(&'a self, connection: &'a mut PgConnection, ids: &'a [Uuid]) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        Box::pin(self.confirmed(connection, ids))
    }
}

/// [`LeaderTask`] in a form that can be stored.
pub(super) trait AnyTask: Send + Sync {
    fn call<'a>(&'a self, connection: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>>;
}

impl<T: LeaderTask> AnyTask for T {
    fn call<'a>(&'a self, connection: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        Box::pin(self.run(connection))
    }
}
