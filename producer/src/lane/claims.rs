//! Idempotency keys in a batch: claimed in the transaction of the write, so that both happen or neither.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::postgres::PgConnection;
use uuid::Uuid;

use super::{Abort, Answer, Write};
use crate::idempotency::Claim;

/// How each write of a batch stands to its key; writes without one are not in it.
pub(super) struct Claims(HashMap<usize, Standing>);

enum Standing {
    /// It is the first with its key.
    Claimed,
    /// Its key was used by a write that is committed.
    Stored(Answer),
    /// Its key is used by this other write of the same batch.
    Follows(usize),
}

struct Stored {
    request_hash: Vec<u8>,
    task_id: Uuid,
    response: String,
}

impl Claims {
    /// Whether a write is to be made.
    pub(super) fn is_fresh(&self, at: usize) -> bool {
        matches!(self.0.get(&at), None | Some(Standing::Claimed))
    }

    /// The answers that are known already; the rest is to be overwritten.
    pub(super) fn answers(&self, writes: usize) -> Vec<Answer> {
        let known = |at| match self.0.get(&at) {
            Some(Standing::Stored(answer)) => answer.clone(),
            _ => Answer::Unavailable,
        };
        (0..writes).map(known).collect()
    }

    /// Answers the writes that share their key with an earlier one of the same batch.
    pub(super) fn settle<C>(&self, writes: &[Write<C>], answers: &mut [Answer]) {
        for (&at, standing) in &self.0 {
            let Standing::Follows(first) = *standing else { continue };
            let (Some(mine), Some(claimed)) = (&writes[at].claim, &writes[first].claim) else { continue };
            answers[at] = match &answers[first] {
                _ if mine.request_hash != claimed.request_hash => Answer::KeyReused,
                Answer::Accepted => {
                    Answer::Repeated { task_id: writes[first].message.id, response: claimed.response.as_str().into() }
                }
                same => same.clone(),
            };
        }
    }
}

/// Claims the keys of a batch. One that another producer is claiming at this moment is waited for.
pub(super) async fn claim<C>(connection: &mut PgConnection, writes: &[Write<C>]) -> Result<Claims, Abort> {
    let mut standings = HashMap::new();
    let mut firsts: HashMap<(&str, &str), usize> = HashMap::new();
    for (at, write) in writes.iter().enumerate() {
        let Some(claim) = &write.claim else { continue };
        let first = *firsts.entry(claim.id()).or_insert(at);
        standings.insert(at, if first == at { Standing::Claimed } else { Standing::Follows(first) });
    }
    if firsts.is_empty() {
        return Ok(Claims(standings));
    }

    let claims: Vec<(&Claim, Uuid)> =
        firsts.values().filter_map(|&at| Some((writes[at].claim.as_ref()?, writes[at].message.id))).collect();
    let claimed = insert(connection, &claims).await?;
    for id in &claimed {
        firsts.remove(&(id.0.as_str(), id.1.as_str()));
    }
    if !firsts.is_empty() {
        let taken: Vec<&Claim> = firsts.values().filter_map(|&at| writes[at].claim.as_ref()).collect();
        let stored = stored(connection, &taken).await?;
        if stored.len() < firsts.len() {
            // Gone between the two statements: it was swept.
            return Err(Abort::Raced);
        }
        for (at, write) in writes.iter().enumerate() {
            let Some(claim) = &write.claim else { continue };
            let Some(stored) = stored.get(&(claim.scope.clone(), claim.key.clone())) else { continue };
            let answer = if claim.request_hash == stored.request_hash {
                Answer::Repeated { task_id: stored.task_id, response: Arc::from(stored.response.as_str()) }
            } else {
                Answer::KeyReused
            };
            standings.insert(at, Standing::Stored(answer));
        }
    }
    Ok(Claims(standings))
}

/// Returns the (scope, key) of those that were free.
async fn insert(
    connection: &mut PgConnection,
    claims: &[(&Claim, Uuid)],
) -> Result<Vec<(String, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"INSERT INTO idempotency_keys (scope, key, request_hash, task_id, response)
           SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[], $5::text[]) AS c(s, k, h, t, r)
           ORDER BY s, k COLLATE "C"
           ON CONFLICT DO NOTHING
           RETURNING scope, key"#,
        &claims.iter().map(|(claim, _)| claim.scope.as_str()).collect::<Vec<_>>() as &[&str],
        &claims.iter().map(|(claim, _)| claim.key.as_str()).collect::<Vec<_>>() as &[&str],
        &claims.iter().map(|(claim, _)| claim.request_hash.as_slice()).collect::<Vec<_>>() as &[&[u8]],
        &claims.iter().map(|(_, task_id)| *task_id).collect::<Vec<_>>(),
        &claims.iter().map(|(claim, _)| claim.response.as_str()).collect::<Vec<_>>() as &[&str],
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.scope, row.key)).collect())
}

async fn stored(
    connection: &mut PgConnection,
    claims: &[&Claim],
) -> Result<HashMap<(String, String), Stored>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT k.scope, k.key, k.request_hash, k.task_id, k.response
         FROM unnest($1::text[], $2::text[]) AS c(s, k)
         JOIN idempotency_keys k ON k.scope = c.s AND k.key = c.k",
        &claims.iter().map(|claim| claim.scope.as_str()).collect::<Vec<_>>() as &[&str],
        &claims.iter().map(|claim| claim.key.as_str()).collect::<Vec<_>>() as &[&str],
    )
    .fetch_all(connection)
    .await?;
    let stored = rows.into_iter().map(|row| {
        let stored = Stored { request_hash: row.request_hash, task_id: row.task_id, response: row.response };
        ((row.scope, row.key), stored)
    });
    Ok(stored.collect())
}

/// Gives keys back whose writes were refused.
pub(super) async fn release<'a>(
    connection: &mut PgConnection,
    claims: impl Iterator<Item = &'a Claim>,
) -> Result<(), sqlx::Error> {
    let (scopes, keys): (Vec<&str>, Vec<&str>) = claims.map(|claim| (claim.scope.as_str(), claim.key.as_str())).unzip();
    if scopes.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "DELETE FROM idempotency_keys k USING unnest($1::text[], $2::text[]) AS c(s, k)
         WHERE k.scope = c.s AND k.key = c.k",
        &scopes as &[&str],
        &keys as &[&str],
    )
    .execute(connection)
    .await
    .map(drop)
}
