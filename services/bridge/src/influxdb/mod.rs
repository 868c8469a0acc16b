//! Events to InfluxDB, as points. One that is written again replaces itself, so several bridges can share the work.

mod api;
mod line;
mod points;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use messaging::{Delivery, Failure, HandleBatch};
use time::OffsetDateTime;

pub(crate) use self::api::Api;
use self::api::WriteError;
use crate::event::{self, Event};

/// The most events of a request.
pub(crate) const BATCH: usize = 1000;

/// Writes events as points.
#[derive(Debug)]
pub(crate) struct ToInfluxdb(pub(crate) Api);

impl ToInfluxdb {
    /// If a request is refused, one of its points may be to blame: halves of halves tell which.
    fn write<'a>(&'a self, points: &'a [String]) -> BoxFuture<'a, Result<Vec<Result<(), Failure>>, Failure>> {
        async move {
            match (self.0.write(points.concat()).await, points) {
                (Ok(()), _) => Ok(vec![Ok(()); points.len()]),
                (Err(error @ WriteError::Unavailable(_)), _) => Err(Failure::unavailable(error)),
                (Err(error @ WriteError::Refused(_)), [_] | []) => Ok(vec![Err(Failure::reject(error)); points.len()]),
                (Err(WriteError::Refused(_)), _) => {
                    let (first, second) = points.split_at(points.len() / 2);
                    Ok([self.write(first).await?, self.write(second).await?].concat())
                }
            }
        }
        .boxed()
    }
}

impl HandleBatch<Event> for ToInfluxdb {
    async fn handle_batch(&self, batch: &[Delivery<Event>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let now = OffsetDateTime::now_utc();
        let points: Vec<String> = batch.iter().map(|delivery| points::of(delivery, now)).collect();
        let verdicts = self.write(&points).await?;
        event::settled("influxdb", "written", verdicts.iter().filter(|verdict| verdict.is_ok()).count());
        Ok(verdicts)
    }
}
