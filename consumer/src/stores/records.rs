//! The table of student records. The newest message about an SRN decides; what is older changes nothing.

use std::collections::HashSet;
use std::time::Duration;

use contracts::records::{Record, RecordPage};
use messaging::{Backoff, Failure};
use sqlx::migrate::MigrateError;
use sqlx::mysql::{MySqlPool, MySqlRow};
use sqlx::{ConnectOptions, Connection, Error, FromRow, MySql, QueryBuilder, Row};
use tokio::time::{Instant, timeout};

use super::{OPERATION_LIMIT, check_length, mysql};

/// As wide as the columns.
const MAX_CHARS: usize = 255;

/// More would not be prepared often enough to be worth keeping.
const KEPT_STATEMENT_ROWS: usize = 8;

/// How long a consumer waits for another one that is migrating.
const MIGRATION_LIMIT: Duration = Duration::from_secs(60);

/// How patiently a statement is tried again that met another one's locks, as long as all of it is quick.
const LOCK_CONFLICTS: Backoff =
    Backoff { attempts: 6, base: Duration::from_millis(5), cap: Duration::from_millis(200) };

/// The table. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Records {
    pool: MySqlPool,
}

/// What a message wants a record to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// Identifies the record.
    pub srn: &'a str,
    /// The record's version after the change; 0 if the message has none.
    pub version: i64,
    /// Name and section; none deletes the record.
    pub state: Option<(&'a str, &'a str)>,
}

impl Change<'_> {
    /// Whether the table can hold it.
    pub fn check(&self) -> Result<(), Failure> {
        if self.srn.is_empty() || self.srn.trim() != self.srn {
            // The table's collation takes `A` and `A ` for the same.
            return Err(Failure::reject("`SRN` is empty, or begins or ends with a blank"));
        }
        let (name, section) = self.state.unwrap_or_default();
        check_length("SRN", self.srn, MAX_CHARS)?;
        check_length("Name", name, MAX_CHARS)?;
        check_length("Section", section, MAX_CHARS)
    }
}

struct RecordRow(Record);

impl FromRow<'_, MySqlRow> for RecordRow {
    fn from_row(row: &MySqlRow) -> Result<Self, Error> {
        Ok(Self(Record { srn: row.try_get(0)?, name: row.try_get(1)?, section: row.try_get(2)? }))
    }
}

impl Records {
    /// The table in the pool's database.
    pub fn new(pool: MySqlPool) -> Self {
        Self { pool }
    }

    /// Brings the table up to this program's version of it, one consumer at a time.
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        // A connection of its own, without the pool's limits: a migration may take its time.
        let mut connection = self.pool.connect_options().connect().await?;
        // sqlx's own lock is none with MariaDB, which takes its "wait for ever" (-1) for a wrong argument. A lock's name
        // holds for the whole server and may have 64 characters.
        let lock = "SELECT GET_LOCK(CONCAT('migrations of ', MD5(DATABASE())), ?)";
        let lock = sqlx::query_scalar(lock).bind(MIGRATION_LIMIT.as_secs()).fetch_one(&mut connection).await?;
        let migrated = match lock {
            Some(1_i64) => sqlx::migrate!("../migrations/mysql").set_locking(false).run(&mut connection).await,
            _ => Err(Error::Io(std::io::ErrorKind::TimedOut.into()).into()),
        };
        // The lock ends with the connection.
        connection.close().await?;
        migrated
    }

    /// Applies changes in one statement. All of them, or none and a failure.
    ///
    /// Returns the SRNs of those without a version that found a record of the producer's, and so changed nothing.
    pub async fn apply<'a>(&self, mut changes: Vec<Change<'a>>) -> Result<HashSet<&'a str>, Failure> {
        if changes.is_empty() {
            return Ok(HashSet::new());
        }
        // Two batches that lock the same rows in the same order wait for each other instead of dying. The sort is
        // stable: of two unversioned changes of a record the later one stays the later.
        changes.sort_by(|a, b| a.srn.cmp(b.srn));
        let started = Instant::now();
        let mut delays = LOCK_CONFLICTS.delays();
        while let Err(error) = self.upsert(&changes).await {
            match delays.next() {
                Some(delay) if mysql::is_lock_conflict(&error) && started.elapsed() < OPERATION_LIMIT / 2 => {
                    tokio::time::sleep(delay).await;
                }
                _ => return Err(mysql::failure(&error)),
            }
        }
        let unversioned: Vec<_> =
            changes.iter().filter(|change| change.version == 0).map(|change| change.srn).collect();
        self.versioned(unversioned).await.map_err(|error| mysql::failure(&error))
    }

    /// Which of these records have a version.
    async fn versioned<'a>(&self, srns: Vec<&'a str>) -> Result<HashSet<&'a str>, Error> {
        if srns.is_empty() {
            return Ok(HashSet::new());
        }
        let mut sql = QueryBuilder::<MySql>::new("SELECT srn FROM records WHERE version > 0 AND srn IN (");
        let mut list = sql.separated(", ");
        for srn in &srns {
            list.push_bind(*srn);
        }
        sql.push(")");
        let mut connection = self.pool.acquire().await?;
        let query = sql.build_query_scalar::<String>().persistent(false);
        let outcome = timeout(OPERATION_LIMIT, query.fetch_all(&mut *connection)).await;
        let found: HashSet<String> = mysql::in_time(connection, outcome)?.into_iter().collect();
        Ok(srns.into_iter().filter(|srn| found.contains(*srn)).collect())
    }

    async fn upsert(&self, changes: &[Change<'_>]) -> Result<(), Error> {
        let mut sql = QueryBuilder::<MySql>::new("INSERT INTO records (srn, name, section, version, deleted) ");
        sql.push_values(changes, |mut row, change| {
            let (name, section) = change.state.unwrap_or_default();
            row.push_bind(change.srn)
                .push_bind(name)
                .push_bind(section)
                .push_bind(change.version)
                .push_bind(change.state.is_none());
        });
        // Assignments take effect from left to right, so the version, which all of them look at, comes last. A row of
        // version 0 was written by hand and gives way to anything.
        sql.push(
            " ON DUPLICATE KEY UPDATE \
             name = IF(VALUES(version) > version OR version = 0, VALUES(name), name), \
             section = IF(VALUES(version) > version OR version = 0, VALUES(section), section), \
             deleted = IF(VALUES(version) > version OR version = 0, VALUES(deleted), deleted), \
             updated_at = IF(VALUES(version) > version OR version = 0, CURRENT_TIMESTAMP(6), updated_at), \
             version = GREATEST(version, VALUES(version))",
        );
        let mut connection = self.pool.acquire().await?;
        let query = sql.build().persistent(changes.len() <= KEPT_STATEMENT_ROWS);
        let outcome = timeout(OPERATION_LIMIT, query.execute(&mut *connection)).await;
        mysql::in_time(connection, outcome).map(drop)
    }

    /// One record, unless it is deleted.
    pub async fn get(&self, srn: &str) -> Result<Option<Record>, Error> {
        let mut connection = self.pool.acquire().await?;
        let query = sqlx::query_as("SELECT srn, name, section FROM records WHERE srn = ? AND NOT deleted").bind(srn);
        let outcome = timeout(OPERATION_LIMIT, query.fetch_optional(&mut *connection)).await;
        Ok(mysql::in_time(connection, outcome)?.map(|RecordRow(record)| record))
    }

    /// Records in the order of their SRNs, after the given one.
    pub async fn page(&self, after: Option<&str>, limit: u32) -> Result<RecordPage, Error> {
        let mut connection = self.pool.acquire().await?;
        // One more than asked for tells whether there is a next page.
        let query =
            sqlx::query_as("SELECT srn, name, section FROM records WHERE srn > ? AND NOT deleted ORDER BY srn LIMIT ?")
                .bind(after.unwrap_or_default())
                .bind(limit.saturating_add(1));
        let outcome = timeout(OPERATION_LIMIT, query.fetch_all(&mut *connection)).await;
        let rows: Vec<RecordRow> = mysql::in_time(connection, outcome)?;
        let mut records: Vec<Record> = rows.into_iter().map(|RecordRow(record)| record).collect();
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let next = (records.len() > limit).then(|| {
            records.truncate(limit);
            records.last().map(|last| last.srn.clone())
        });
        Ok(RecordPage { records, next: next.flatten() })
    }
}
