//! Messages that could not be sent: set aside so that they never hold up the rest, and tried again.

use sqlx::postgres::{PgConnection, PgPool, PgRow};
use sqlx::{FromRow, Row};
use time::OffsetDateTime;
use uuid::Uuid;

use super::cursor::Position;
use super::page::outgoing;
use super::settings::RelaySettings;
use crate::{Outcome, Outgoing};

/// How many parked messages are tried together.
const BATCH: i64 = 256;
/// How many of the messages that are parked together are logged one by one.
const LOGGED: usize = 10;

/// Why a message was parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ParkedReason {
    /// No queue is bound to its routing key. It is tried again.
    Unroutable,
    /// The broker would not take it then. It is tried again.
    Nacked,
    /// The broker will never take it as it is. It waits for [`retry_parked`](super::Outbox::retry_parked).
    Refused,
}

impl ParkedReason {
    pub(super) const ALL: [Self; 3] = [Self::Unroutable, Self::Nacked, Self::Refused];

    fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Unroutable => Some(Self::Unroutable),
            Outcome::Nacked => Some(Self::Nacked),
            Outcome::Refused(_) => Some(Self::Refused),
            Outcome::Confirmed | Outcome::Unknown(_) => None,
        }
    }

    /// Its name in the table and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unroutable => "unroutable",
            Self::Nacked => "nacked",
            Self::Refused => "refused",
        }
    }
}

/// A parked message, as an operator wants to see it.
#[derive(Clone, Debug)]
pub struct Parked {
    /// The message's id.
    pub id: Uuid,
    /// The exchange it was to go to.
    pub exchange: String,
    /// Its routing key.
    pub routing_key: String,
    /// Its type.
    pub kind: String,
    /// Why it was parked.
    pub reason: ParkedReason,
    /// The same in the broker's words.
    pub detail: String,
    /// How often it was tried.
    pub attempts: i32,
    /// Since when it has been parked.
    pub parked_at: OffsetDateTime,
    /// When it is tried next; never by itself if none.
    pub next_try_at: Option<OffsetDateTime>,
}

impl FromRow<'_, PgRow> for Parked {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let reason: &str = row.try_get("reason")?;
        Ok(Self {
            id: row.try_get("id")?,
            exchange: row.try_get("exchange")?,
            routing_key: row.try_get("routing_key")?,
            kind: row.try_get("kind")?,
            reason: ParkedReason::ALL
                .into_iter()
                .find(|known| known.as_str() == reason)
                .ok_or_else(|| sqlx::Error::Decode(format!("unknown reason `{reason}`").into()))?,
            detail: row.try_get("detail")?,
            attempts: row.try_get("attempts")?,
            parked_at: row.try_get("parked_at")?,
            next_try_at: row.try_get("next_try_at")?,
        })
    }
}

pub(super) async fn list(pool: &PgPool, limit: u32) -> Result<Vec<Parked>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, exchange, routing_key, kind, reason, detail, attempts, parked_at, next_try_at
         FROM outbox.parked ORDER BY next_try_at IS NOT NULL, parked_at, id LIMIT $1",
    )
    .bind(i64::from(limit))
    .fetch_all(pool)
    .await
}

pub(super) async fn retry(pool: &PgPool, id: Uuid) -> Result<bool, sqlx::Error> {
    let found =
        sqlx::query("UPDATE outbox.parked SET next_try_at = now() WHERE id = $1").bind(id).execute(pool).await?;
    Ok(found.rows_affected() > 0)
}

/// A message that is to be parked, or to stay so.
struct Failed<'a> {
    message: &'a Outgoing,
    outcome: &'a Outcome,
    reason: ParkedReason,
}

fn failed<'a>(message: &'a Outgoing, outcome: &'a Outcome) -> Option<Failed<'a>> {
    ParkedReason::of(outcome).map(|reason| Failed { message, outcome, reason })
}

/// Moves those of a page that could not be sent out of the way. Returns how many.
pub(super) async fn park(
    connection: &mut PgConnection,
    page: &[(Position, Outgoing, Outcome)],
    settings: &RelaySettings,
) -> Result<i64, sqlx::Error> {
    let (positions, failed): (Vec<&Position>, Vec<Failed<'_>>) = page
        .iter()
        .filter_map(|(position, message, outcome)| failed(message, outcome).map(|failed| (position, failed)))
        .unzip();
    if failed.is_empty() {
        return Ok(0);
    }
    // A message that is enqueued again while it is parked is one message still.
    let parked = sqlx::query(
        "INSERT INTO outbox.parked (id, exchange, routing_key, kind, correlation_id, reply_to, expiration_ms, headers,
                                    body, reason, detail, next_try_at)
         SELECT DISTINCT ON (m.id, m.exchange, m.routing_key)
                m.id, m.exchange, m.routing_key, m.kind, m.correlation_id, m.reply_to, m.expiration_ms, m.headers,
                m.body, f.reason, f.detail, now() + make_interval(secs => f.wait)
         FROM unnest($1::text[]::xid8[], $2::int8[], $3::text[], $4::text[], $5::float8[]) f(xid, seq, reason, detail, wait)
         JOIN outbox.message m ON m.xid = f.xid AND m.seq = f.seq
         ORDER BY m.id, m.exchange, m.routing_key
         ON CONFLICT (id, exchange, routing_key) DO NOTHING",
    )
    .bind(positions.iter().map(|position| position.xid.to_string()).collect::<Vec<_>>())
    .bind(positions.iter().map(|position| position.seq).collect::<Vec<_>>())
    .bind(failed.iter().map(|failed| failed.reason.as_str()).collect::<Vec<_>>())
    .bind(failed.iter().map(|failed| failed.outcome.to_string()).collect::<Vec<_>>())
    .bind(failed.iter().map(|failed| wait_secs(failed.reason, 1, settings)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    for Failed { message, outcome, .. } in failed.iter().take(LOGGED) {
        tracing::warn!(
            id = %message.id, exchange = message.exchange, routing_key = message.routing_key, reason = %outcome,
            "a message could not be sent and is parked"
        );
    }
    if failed.len() > LOGGED {
        tracing::warn!(more = failed.len() - LOGGED, "further messages could not be sent and are parked");
    }
    Ok(i64::try_from(parked.rows_affected()).unwrap_or(0))
}

/// How long the next try waits: twice as long each time, and for ever if it would be in vain.
fn wait_secs(reason: ParkedReason, attempts: i32, settings: &RelaySettings) -> Option<f64> {
    match reason {
        ParkedReason::Refused => None,
        ParkedReason::Unroutable | ParkedReason::Nacked => {
            let doubled = settings.retry_first.as_secs_f64() * 2_f64.powi(attempts.clamp(1, 32) - 1);
            Some(doubled.min(settings.retry_at_most.as_secs_f64()))
        }
    }
}

/// A parked message whose time has come.
pub(super) struct Due {
    attempts: i32,
    pub(super) message: Outgoing,
}

/// Reads parked messages whose time has come.
pub(super) async fn due(session: &mut PgConnection, bytes: u32) -> Result<Vec<Due>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT * FROM (
             SELECT *, sum(octet_length(body)) OVER (ORDER BY next_try_at, id, routing_key ROWS UNBOUNDED PRECEDING)
                       - octet_length(body) AS before
             FROM (SELECT * FROM outbox.parked WHERE next_try_at <= now() ORDER BY next_try_at LIMIT $1) due
         ) weighed WHERE before < $2",
    )
    .bind(BATCH)
    .bind(i64::from(bytes))
    .fetch_all(session)
    .await?;
    rows.iter().map(|row| Ok(Due { attempts: row.try_get("attempts")?, message: outgoing(row)? })).collect()
}

/// Records another try. Returns how many are no longer parked.
pub(super) async fn tried(
    connection: &mut PgConnection,
    tried: &[(Due, Outcome)],
    settings: &RelaySettings,
) -> Result<i64, sqlx::Error> {
    let sent = tried.iter().filter(|(_, outcome)| *outcome == Outcome::Confirmed).map(|(due, _)| &due.message);
    let (ids, exchanges, routing_keys) = keys(sent);
    let deleted = sqlx::query(
        "DELETE FROM outbox.parked p USING unnest($1::uuid[], $2::text[], $3::text[]) s(id, exchange, routing_key)
         WHERE p.id = s.id AND p.exchange = s.exchange AND p.routing_key = s.routing_key",
    )
    .bind(ids)
    .bind(exchanges)
    .bind(routing_keys)
    .execute(&mut *connection)
    .await?;

    let again: Vec<_> = tried.iter().filter(|(_, outcome)| *outcome != Outcome::Confirmed).collect();
    if !again.is_empty() {
        let (ids, exchanges, routing_keys) = keys(again.iter().map(|(due, _)| &due.message));
        // No answer at all says nothing about the message: it keeps its reason and its count.
        let reasons = again.iter().map(|(_, outcome)| ParkedReason::of(outcome).map(ParkedReason::as_str));
        let waits = again.iter().map(|(due, outcome)| {
            let reason = ParkedReason::of(outcome).unwrap_or(ParkedReason::Nacked);
            wait_secs(reason, due.attempts.saturating_add(1), settings)
        });
        sqlx::query(
            "UPDATE outbox.parked p
             SET attempts = attempts + (s.reason IS NOT NULL)::int, reason = coalesce(s.reason, p.reason),
                 detail = s.detail, next_try_at = now() + make_interval(secs => s.wait)
             FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::float8[])
                  s(id, exchange, routing_key, reason, detail, wait)
             WHERE p.id = s.id AND p.exchange = s.exchange AND p.routing_key = s.routing_key",
        )
        .bind(ids)
        .bind(exchanges)
        .bind(routing_keys)
        .bind(reasons.collect::<Vec<_>>())
        .bind(again.iter().map(|(_, outcome)| outcome.to_string()).collect::<Vec<_>>())
        .bind(waits.collect::<Vec<_>>())
        .execute(connection)
        .await?;
    }
    Ok(i64::try_from(deleted.rows_affected()).unwrap_or(0))
}

fn keys<'a>(messages: impl Iterator<Item = &'a Outgoing>) -> (Vec<Uuid>, Vec<&'a str>, Vec<&'a str>) {
    let mut keys = (Vec::new(), Vec::new(), Vec::new());
    for message in messages {
        keys.0.push(message.id);
        keys.1.push(message.exchange.as_str());
        keys.2.push(message.routing_key.as_str());
    }
    keys
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_the_refused_wait_for_ever() {
        let settings = RelaySettings {
            retry_first: Duration::from_secs(1),
            retry_at_most: Duration::from_secs(60),
            ..RelaySettings::default()
        };
        let waits: Vec<_> = (1..9).map(|attempts| wait_secs(ParkedReason::Nacked, attempts, &settings)).collect();
        assert_eq!(waits, [1., 2., 4., 8., 16., 32., 60., 60.].map(Some));
        assert_eq!(wait_secs(ParkedReason::Unroutable, i32::MAX, &settings), Some(60.));
        assert_eq!(wait_secs(ParkedReason::Refused, 1, &settings), None);
    }
}
