//! Records inserted and deleted, many at a time.

use std::collections::{BTreeMap, HashMap};

use contracts::records::Record;
use sqlx::postgres::PgConnection;

use crate::lane::{Abort, Applied, Change, Refusal, Verdict};

/// A change of one record.
#[derive(Debug)]
pub(crate) enum RecordChange {
    /// A new record, or a deleted one that comes back.
    Insert(Record),
    /// Away with the record of this SRN.
    Delete { srn: String },
}

impl RecordChange {
    fn srn(&self) -> &str {
        match self {
            Self::Insert(record) => &record.srn,
            Self::Delete { srn } => srn,
        }
    }
}

/// Where a record stands while a batch is worked through.
#[derive(Default)]
struct Standing<'a> {
    version: i64,
    /// What is in it, if it was written in this batch.
    written: Option<&'a Record>,
    live: bool,
    /// Whether it has a row, which is then locked.
    stored: bool,
    changed: bool,
}

impl<'a> Standing<'a> {
    fn apply(&mut self, change: &'a RecordChange) -> Verdict {
        match change {
            RecordChange::Insert(_) if self.live => return Err(Refusal::Conflict("a record with this SRN exists")),
            RecordChange::Delete { .. } if !self.live => {
                return Err(Refusal::Missing("there is no record with this SRN"));
            }
            RecordChange::Insert(record) => (self.live, self.written) = (true, Some(record)),
            RecordChange::Delete { .. } => (self.live, self.written) = (false, None),
        }
        self.version += 1;
        self.changed = true;
        Ok(Applied { version: Some(self.version), body: None })
    }
}

impl Change for RecordChange {
    const LANE: &'static str = "records";

    fn key(&self) -> Option<String> {
        Some(self.srn().to_owned())
    }

    /// Locks the rows there are, works the batch through in memory, and writes what comes out of it.
    async fn apply(connection: &mut PgConnection, changes: &[&Self]) -> Result<Vec<Verdict>, Abort> {
        // In the order of their SRNs, in which all producers lock.
        let mut standings: BTreeMap<&str, Standing<'_>> =
            changes.iter().map(|change| (change.srn(), Standing::default())).collect();
        for (srn, (version, live)) in lock(connection, standings.keys().copied().collect()).await? {
            if let Some(standing) = standings.get_mut(srn.as_str()) {
                *standing = Standing { version, live, stored: true, ..Standing::default() };
            }
        }
        let verdicts = changes
            .iter()
            .map(|change| {
                standings.get_mut(change.srn()).map_or(Err(Refusal::Stale), |standing| standing.apply(change))
            })
            .collect();
        let (old, new): (Vec<_>, Vec<_>) =
            standings.into_iter().filter(|(_, standing)| standing.changed).partition(|(_, standing)| standing.stored);
        insert(connection, &new).await?;
        update(connection, &old).await?;
        Ok(verdicts)
    }
}

async fn lock(connection: &mut PgConnection, srns: Vec<&str>) -> Result<HashMap<String, (i64, bool)>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT srn, version, live FROM records WHERE srn = ANY($1) ORDER BY srn FOR UPDATE",
        &srns as &[&str]
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.srn, (row.version, row.live))).collect())
}

/// A row that does not exist cannot be locked: if another producer made one meanwhile, the batch begins again.
async fn insert(connection: &mut PgConnection, records: &[(&str, Standing<'_>)]) -> Result<(), Abort> {
    if records.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(records);
    let inserted = sqlx::query!(
        "INSERT INTO records (srn, name, section, version, live)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::bool[])
         ON CONFLICT (srn) DO NOTHING",
        &columns.srns as &[&str],
        &columns.names as &[Option<&str>],
        &columns.sections as &[Option<&str>],
        &columns.versions,
        &columns.live,
    )
    .execute(connection)
    .await?;
    if inserted.rows_affected() < records.len() as u64 { Err(Abort::Raced) } else { Ok(()) }
}

async fn update(connection: &mut PgConnection, records: &[(&str, Standing<'_>)]) -> Result<(), sqlx::Error> {
    if records.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(records);
    sqlx::query!(
        "UPDATE records r SET name = u.name, section = u.section, version = u.version, live = u.live
         FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[], $5::bool[])
              AS u(srn, name, section, version, live)
         WHERE r.srn = u.srn",
        &columns.srns as &[&str],
        &columns.names as &[Option<&str>],
        &columns.sections as &[Option<&str>],
        &columns.versions,
        &columns.live,
    )
    .execute(connection)
    .await
    .map(drop)
}

#[derive(Default)]
struct Columns<'a> {
    srns: Vec<&'a str>,
    names: Vec<Option<&'a str>>,
    sections: Vec<Option<&'a str>>,
    versions: Vec<i64>,
    live: Vec<bool>,
}

impl<'a> Columns<'a> {
    fn of(records: &[(&'a str, Standing<'a>)]) -> Self {
        let mut columns = Self::default();
        for (srn, standing) in records {
            columns.srns.push(srn);
            columns.names.push(standing.written.map(|record| record.name.as_str()));
            columns.sections.push(standing.written.map(|record| record.section.as_str()));
            columns.versions.push(standing.version);
            columns.live.push(standing.live);
        }
        columns
    }
}
