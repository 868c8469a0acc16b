//! Reading the next messages of a tick.

use std::time::Duration;

use bytes::Bytes;
use sqlx::Row;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::types::Json;

use super::cursor::{Cursor, Position, Tick, xid};
use crate::Outgoing;

/// Messages in the order in which they are sent.
pub(super) struct Page {
    pub(super) rows: Vec<(Position, Outgoing)>,
    /// Whether the tick has no more.
    pub(super) last: bool,
    /// How old the first message was.
    pub(super) age: Duration,
}

/// Two arms, each of which walks the index (xid, seq) from where the tick is. First the transactions that were open
/// when `done` was taken and are over now: their ids are all smaller than those of the second arm. One after another,
/// because a search for several ids at once would start anew at each page. Second, the transactions begun since.
///
/// Bodies are weighed without being read. A page ends before the message that makes it too heavy.
const READ: &str = "
SELECT xid::text AS xid_text, seq, id, exchange, routing_key, kind, correlation_id, reply_to, expiration_ms, headers, body, found,
       extract(epoch FROM clock_timestamp() - created_at)::float8 AS age
FROM (
    SELECT *, count(*) OVER () AS found,
           sum(octet_length(body)) OVER (ORDER BY xid, seq ROWS UNBOUNDED PRECEDING) - octet_length(body) AS before
    FROM (
        (SELECT m.* FROM unnest($1::text[]::xid8[], $2::int8[]) late(xid, seq)
         CROSS JOIN LATERAL (
             SELECT * FROM outbox.message m WHERE m.xid = late.xid AND m.seq > late.seq ORDER BY m.xid, m.seq LIMIT $7
         ) m ORDER BY xid, seq LIMIT $7)
        UNION ALL
        (SELECT * FROM outbox.message
         WHERE (xid, seq) > ($3::text::xid8, $4) AND xid < $5::text::xid8
           AND pg_visible_in_snapshot(xid, (SELECT $6::text::pg_snapshot))
         ORDER BY xid, seq LIMIT $7)
        ORDER BY xid, seq LIMIT $7
    ) page
) weighed
WHERE before < $8 ORDER BY weighed.xid, weighed.seq";

pub(super) async fn read(
    session: &mut PgConnection,
    cursor: &Cursor,
    rows: u32,
    bytes: u32,
) -> Result<Page, sqlx::Error> {
    let empty = Page { rows: Vec::new(), last: true, age: Duration::ZERO };
    let Some(tick) = &cursor.tick else { return Ok(empty) };
    let late: Vec<Position> = late(cursor, tick);
    let from = tick.at.max(Position { xid: cursor.done.end, seq: -1 });
    let found = sqlx::query(READ)
        .bind(late.iter().map(|late| late.xid.to_string()).collect::<Vec<_>>())
        .bind(late.iter().map(|late| late.seq).collect::<Vec<_>>())
        .bind(from.xid.to_string())
        .bind(from.seq)
        .bind(tick.target.end.to_string())
        .bind(tick.target.as_str())
        .bind(i64::from(rows))
        .bind(i64::from(bytes))
        .fetch_all(session)
        .await?;
    let Some(first) = found.first() else { return Ok(empty) };
    let in_index: i64 = first.try_get("found")?;
    let age = Duration::try_from_secs_f64(first.try_get("age")?).unwrap_or_default();
    let last = in_index < i64::from(rows) && usize::try_from(in_index) == Ok(found.len());
    let rows = found.iter().map(|row| Ok((position(row)?, outgoing(row)?))).collect::<Result<_, sqlx::Error>>()?;
    Ok(Page { rows, last, age })
}

/// The transactions that ended since `done` was taken, each with the last of its rows that the tick has passed.
fn late(cursor: &Cursor, tick: &Tick) -> Vec<Position> {
    let open_then = cursor.done.open.iter().copied();
    open_then
        .filter(|xid| tick.target.sees(*xid) && *xid >= tick.at.xid)
        .map(|xid| Position { xid, seq: if xid == tick.at.xid { tick.at.seq } else { -1 } })
        .collect()
}

fn position(row: &PgRow) -> Result<Position, sqlx::Error> {
    Ok(Position { xid: xid(row, "xid_text")?, seq: row.try_get("seq")? })
}

/// The message in a row of `outbox.message` or `outbox.parked`.
pub(super) fn outgoing(row: &PgRow) -> Result<Outgoing, sqlx::Error> {
    let expiration: Option<i64> = row.try_get("expiration_ms")?;
    Ok(Outgoing {
        id: row.try_get("id")?,
        exchange: row.try_get("exchange")?,
        routing_key: row.try_get("routing_key")?,
        kind: row.try_get("kind")?,
        correlation_id: row.try_get("correlation_id")?,
        reply_to: row.try_get("reply_to")?,
        expiration: expiration.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0))),
        headers: row.try_get::<Json<_>, _>("headers")?.0,
        body: Bytes::copy_from_slice(row.try_get("body")?),
    })
}
