//! The relay's cursor: what is settled, as snapshots of Postgres.

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};

use super::session::{STEP, within};

/// A `pg_snapshot`: which transactions were over when it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    text: String,
    /// Transactions from here on had not begun.
    pub(super) end: u64,
    /// Those before it that were still open, in ascending order.
    pub(super) open: Vec<u64>,
}

impl Snapshot {
    /// In which nothing is visible.
    pub(super) fn empty() -> Self {
        Self { text: "1:1:".to_owned(), end: 1, open: Vec::new() }
    }

    /// Reads Postgres' form, `xmin:xmax:xip,xip`.
    fn parse(text: String) -> Result<Self, sqlx::Error> {
        let parsed = (|| {
            let mut parts = text.splitn(3, ':').skip(1);
            let end = parts.next()?.parse().ok()?;
            let open = parts.next()?.split(',').filter(|xid| !xid.is_empty());
            Some((end, open.map(str::parse).collect::<Result<_, _>>().ok()?))
        })();
        match parsed {
            Some((end, open)) => Ok(Self { text, end, open }),
            None => Err(sqlx::Error::Protocol(format!("`{text}` is not a pg_snapshot"))),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a transaction was over.
    pub(super) fn sees(&self, xid: u64) -> bool {
        xid < self.end && self.open.binary_search(&xid).is_err()
    }
}

/// A row's place in the order of publishing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) xid: u64,
    pub(super) seq: i64,
}

/// What is settled: all that is visible in `done`, and of the tick under way all up to its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) done: Snapshot,
    /// The last value drawn from the sequence when `done` was taken, for counting the backlog.
    pub(super) done_seq: i64,
    pub(super) tick: Option<Tick>,
}

/// The way from one snapshot to a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) target: Snapshot,
    pub(super) target_seq: i64,
    pub(super) at: Position,
    /// How many rows were settled so far.
    pub(super) rows: i64,
}

impl Cursor {
    fn start() -> Self {
        Self { done: Snapshot::empty(), done_seq: 0, tick: None }
    }

    /// Begins a tick to what is visible now, unless one is under way.
    pub(super) async fn begin_tick(&mut self, session: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.tick.is_none() {
            let (target, target_seq): (String, i64) = sqlx::query_as(
                "SELECT pg_current_snapshot()::text, CASE WHEN is_called THEN last_value ELSE 0 END
                 FROM outbox.message_seq",
            )
            .fetch_one(session)
            .await?;
            let tick = Tick { target: Snapshot::parse(target)?, target_seq, at: Position { xid: 0, seq: 0 }, rows: 0 };
            self.tick = Some(tick);
        }
        Ok(())
    }

    /// Moves to a position within the tick.
    pub(super) fn advance(&mut self, at: Position, rows: usize) {
        let tick = self.tick.as_mut().expect("rows are read within a tick");
        tick.at = at;
        tick.rows += i64::try_from(rows).unwrap_or(i64::MAX);
    }

    /// Ends the tick: its target is done.
    pub(super) fn finish(&mut self) {
        if let Some(tick) = self.tick.take() {
            self.done = tick.target;
            self.done_seq = tick.target_seq;
        }
    }
}

/// Reads how far the relay came. Only the leader may do this, and it only needs to when it begins to lead.
pub(super) async fn load(session: &mut PgConnection) -> Result<Cursor, sqlx::Error> {
    let newest = sqlx::query(
        "SELECT done::text, done_seq, target::text, target_seq, at_xid::text, at_seq, tick_rows,
                cluster = (SELECT system_identifier FROM pg_control_system()) AS same_cluster
         FROM outbox.progress ORDER BY id DESC LIMIT 1",
    )
    .fetch_optional(&mut *session);
    match within(STEP, newest).await? {
        Some(row) if row.try_get("same_cluster")? => decode(&row),
        Some(_) => restamp(session).await,
        None => Ok(Cursor::start()),
    }
}

fn decode(row: &PgRow) -> Result<Cursor, sqlx::Error> {
    let tick = match row.try_get::<Option<String>, _>("target")? {
        Some(target) => Some(Tick {
            target: Snapshot::parse(target)?,
            target_seq: row.try_get("target_seq")?,
            at: Position { xid: xid(row, "at_xid")?, seq: row.try_get("at_seq")? },
            rows: row.try_get("tick_rows")?,
        }),
        None => None,
    };
    Ok(Cursor { done: Snapshot::parse(row.try_get("done")?)?, done_seq: row.try_get("done_seq")?, tick })
}

/// A transaction id, which travels as text: the driver does not know `xid8`.
pub(super) fn xid(row: &PgRow, column: &str) -> Result<u64, sqlx::Error> {
    let text: &str = row.try_get(column)?;
    text.parse().map_err(|error| sqlx::Error::ColumnDecode { index: column.to_owned(), source: Box::new(error) })
}

/// The rows were restored from a dump of another cluster (or the cluster was upgraded), so neither their transaction
/// ids nor the cursor's mean anything here: all rows count as new. Those that had been sent are sent again.
async fn restamp(session: &mut PgConnection) -> Result<Cursor, sqlx::Error> {
    let mut transaction = session.begin().await?;
    // There may be millions of rows, and this happens once in a database's life.
    sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut *transaction).await?;
    // A writer that is open now has an id of this cluster already, and an empty snapshot overlooks nobody.
    let rows = sqlx::query("UPDATE outbox.message SET xid = pg_current_xact_id()")
        .execute(&mut *transaction)
        .await?
        .rows_affected();
    let seq: i64 = sqlx::query_scalar("SELECT last_value FROM outbox.message_seq").fetch_one(&mut *transaction).await?;
    let cursor = Cursor { done_seq: seq - i64::try_from(rows).unwrap_or(0), ..Cursor::start() };
    append(&mut transaction, &cursor, 0).await?;
    transaction.commit().await?;
    tracing::warn!(rows, "the outbox comes from another database cluster; all its messages are sent again");
    Ok(cursor)
}

/// Records how far the relay came. Rows are only appended: updating one row many times a second would leave a chain
/// of versions behind that cannot be pruned while any session holds an old snapshot.
pub(super) async fn append(connection: &mut PgConnection, cursor: &Cursor, parked: i64) -> Result<(), sqlx::Error> {
    let tick = cursor.tick.as_ref();
    sqlx::query(
        "INSERT INTO outbox.progress (cluster, done, done_seq, target, target_seq, at_xid, at_seq, tick_rows, parked)
         SELECT system_identifier, $1::text::pg_snapshot, $2, $3::text::pg_snapshot, $4, $5::text::xid8, $6, $7, $8
         FROM pg_control_system()",
    )
    .bind(cursor.done.as_str())
    .bind(cursor.done_seq)
    .bind(tick.map(|tick| tick.target.as_str()))
    .bind(tick.map(|tick| tick.target_seq))
    .bind(tick.map(|tick| tick.at.xid.to_string()))
    .bind(tick.map(|tick| tick.at.seq))
    .bind(tick.map_or(0, |tick| tick.rows))
    .bind(parked)
    .execute(connection)
    .await
    .map(drop)
}

/// Leaves only the newest record.
pub(super) async fn forget_history(
    session: &mut PgConnection,
    cursor: &Cursor,
    parked: i64,
) -> Result<(), sqlx::Error> {
    let mut transaction = session.begin().await?;
    sqlx::query("LOCK TABLE outbox.progress IN ACCESS EXCLUSIVE MODE NOWAIT").execute(&mut *transaction).await?;
    sqlx::query("TRUNCATE outbox.progress").execute(&mut *transaction).await?;
    append(&mut transaction, cursor, parked).await?;
    transaction.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_sees_what_was_over_when_it_was_taken() {
        let snapshot = Snapshot::parse("10:20:10,15".to_owned()).expect("it is in Postgres' form");
        let seen: Vec<u64> = (8..22).filter(|xid| snapshot.sees(*xid)).collect();
        assert_eq!(seen, [8, 9, 11, 12, 13, 14, 16, 17, 18, 19]);
    }

    #[test]
    fn nothing_is_visible_in_the_empty_snapshot() {
        assert_eq!(Snapshot::parse("1:1:".to_owned()).expect("it is in Postgres' form"), Snapshot::empty());
        assert!(!Snapshot::empty().sees(1));
    }

    #[test]
    fn what_is_not_a_snapshot_is_an_error() {
        for text in ["", "1", "1:x:", "1:2:y"] {
            assert!(Snapshot::parse(text.to_owned()).is_err(), "`{text}` was taken for a snapshot");
        }
    }
}
