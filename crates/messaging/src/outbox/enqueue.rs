//! Storing messages.

use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::{Headers, Outgoing};

/// The segment is read in the statement itself, so that writers need no second one. One that reads it just before a
/// switch appends to the old segment, which the relay expects.
const INSERT: &str = "
INSERT INTO outbox.message
    (segment, id, exchange, routing_key, kind, correlation_id, reply_to, expiration_ms, headers, body)
SELECT s.last_value::smallint, m.*
FROM outbox.current_segment s,
     unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int8[], $8::text[]::json[], $9::bytea[]) m";

pub(super) async fn enqueue(connection: &mut PgConnection, messages: &[Outgoing]) -> Result<(), sqlx::Error> {
    if messages.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&Outgoing) -> &str| messages.iter().map(of).collect::<Vec<&str>>();
    let optional = |of: fn(&Outgoing) -> Option<&str>| messages.iter().map(of).collect::<Vec<Option<&str>>>();
    sqlx::query(INSERT)
        .bind(messages.iter().map(|message| message.id).collect::<Vec<Uuid>>())
        .bind(column(|message| &message.exchange))
        .bind(column(|message| &message.routing_key))
        .bind(column(|message| &message.kind))
        .bind(optional(|message| message.correlation_id.as_deref()))
        .bind(optional(|message| message.reply_to.as_deref()))
        .bind(messages.iter().map(expiration_ms).collect::<Vec<Option<i64>>>())
        // As text, because the driver's JSON is jsonb, which refuses a NUL.
        .bind(messages.iter().map(|message| to_json(&message.headers)).collect::<Vec<String>>())
        .bind(messages.iter().map(|message| &*message.body).collect::<Vec<&[u8]>>())
        .execute(connection)
        .await
        .map(drop)
}

fn expiration_ms(message: &Outgoing) -> Option<i64> {
    message.expiration.map(|expiration| i64::try_from(expiration.as_millis()).unwrap_or(i64::MAX))
}

fn to_json(headers: &Headers) -> String {
    serde_json::to_string(headers).expect("numbers and texts by name always have a JSON form")
}
