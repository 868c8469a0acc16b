//! A payment provider that moves no money: it decides by the amount, and keeps a ledger.

use std::time::Duration;

use bson::doc;
use contracts::Money;
use mongodb::error::{Error, ErrorKind, WriteFailure};
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};
use service::documents::{in_time, instant, now};
use time::OffsetDateTime;
use tokio::time::sleep;
use uuid::Uuid;

use crate::config::ProviderArgs;
use crate::provider::{Charge, Charged, PaymentProvider, ProviderError, Refunded};

/// A unique index has the key already.
const DUPLICATE_KEY: i32 = 11000;

/// Declines by the amount, answers after a time, and fails as often as it is told to.
///
/// Of the amount's minor units the last two digits count: 13 is "card declined", 51 is "insufficient funds".
///
/// The ledger only grows, and its rows are unique by what they are about: an order has one row that says whether it was
/// charged, declined or closed, whichever came first, and at most one that gives a charge back.
#[derive(Clone, Debug)]
pub struct SimulatedProvider {
    ledger: Collection<Row>,
    latency: Duration,
    failures: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    #[serde(rename = "_id")]
    key: String,
    #[serde(with = "uuid::serde::hyphenated")]
    order_id: Uuid,
    #[serde(with = "uuid::serde::hyphenated")]
    user_id: Uuid,
    kind: Kind,
    amount: Money,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(with = "instant")]
    at: OffsetDateTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Charge,
    Decline,
    Close,
    Refund,
}

impl Row {
    fn new(charge: &Charge, kind: Kind) -> Self {
        let Charge { order_id, user_id, amount } = *charge;
        let key = if kind == Kind::Refund { refund_key(order_id) } else { charge_key(order_id) };
        Self { key, order_id, user_id, kind, amount, reason: None, at: now() }
    }

    fn decided(charge: &Charge) -> Self {
        match declined(charge.amount) {
            Some(reason) => Self { reason: Some(reason.to_owned()), ..Self::new(charge, Kind::Decline) },
            None => Self::new(charge, Kind::Charge),
        }
    }
}

/// Charges, declines and closures stand in each other's way.
fn charge_key(order_id: Uuid) -> String {
    format!("charge {order_id}")
}

fn refund_key(order_id: Uuid) -> String {
    format!("refund {order_id}")
}

fn declined(amount: Money) -> Option<&'static str> {
    match amount.amount % 100 {
        13 => Some("card declined"),
        51 => Some("insufficient funds"),
        _ => None,
    }
}

impl SimulatedProvider {
    /// The provider with its ledger in this database.
    pub fn new(database: &Database, settings: ProviderArgs) -> Self {
        let ProviderArgs { payment_latency: latency, payment_failures: failures, .. } = settings;
        Self { ledger: database.collection("ledger"), latency, failures }
    }

    /// The way there, the call, and the way back: on each of the two it can get lost.
    async fn call<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, ProviderError> {
        let luck: f64 = rand::random();
        sleep(self.latency / 2).await;
        if luck < self.failures / 2.0 {
            return Err(ProviderError("the call got lost".to_owned()));
        }
        let answer = call.await.map_err(|error| ProviderError(error.to_string()))?;
        if luck < self.failures {
            return Err(ProviderError("the answer got lost".to_owned()));
        }
        sleep(self.latency / 2).await;
        Ok(answer)
    }

    /// Adds a row, unless there is one with its key.
    async fn add(&self, row: Row) -> Result<bool, Error> {
        let ledger = self.ledger.clone();
        match in_time(async move { ledger.insert_one(row).await }).await {
            Ok(_) => Ok(true),
            Err(error) if is_duplicate(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn find(&self, key: String) -> Result<Option<Row>, Error> {
        let ledger = self.ledger.clone();
        in_time(async move { ledger.find_one(doc! { "_id": key }).await }).await
    }

    /// What stands in the place of a charge. Rows are never removed, so it is there once another could not be added.
    async fn decided(&self, order_id: Uuid) -> Result<Row, Error> {
        let row = self.find(charge_key(order_id)).await?;
        row.ok_or_else(|| Error::custom(format!("the ledger has lost its row about {order_id}")))
    }
}

impl PaymentProvider for SimulatedProvider {
    async fn charge(&self, charge: &Charge) -> Result<Charged, ProviderError> {
        self.call(async {
            let mut row = Row::decided(charge);
            if !self.add(row.clone()).await? {
                row = self.decided(charge.order_id).await?;
            }
            Ok(match row.kind {
                Kind::Decline => Charged::Declined(row.reason.unwrap_or_default()),
                Kind::Charge if self.find(refund_key(charge.order_id)).await?.is_none() => Charged::Accepted,
                Kind::Charge | Kind::Close | Kind::Refund => Charged::Closed,
            })
        })
        .await
    }

    async fn refund(&self, charge: &Charge) -> Result<Refunded, ProviderError> {
        self.call(async {
            if self.add(Row::new(charge, Kind::Close)).await? {
                return Ok(Refunded::NothingCharged);
            }
            let charged = self.decided(charge.order_id).await?;
            if charged.kind != Kind::Charge {
                return Ok(Refunded::NothingCharged);
            }
            // As much as was charged, whatever is asked for.
            self.add(Row::new(&Charge { amount: charged.amount, ..*charge }, Kind::Refund)).await?;
            Ok(Refunded::GivenBack)
        })
        .await
    }
}

fn is_duplicate(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Write(WriteFailure::WriteError(error)) if error.code == DUPLICATE_KEY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_digits_of_the_minor_units_decide() {
        let declined = |amount| declined(Money::new(amount, "EUR".parse().unwrap()));
        for amount in [13, 113, 99_913] {
            assert_eq!(declined(amount), Some("card declined"));
        }
        for amount in [51, 12_351] {
            assert_eq!(declined(amount), Some("insufficient funds"));
        }
        for amount in [0, 1, 1300, 5100, 1314, 130] {
            assert_eq!(declined(amount), None, "{amount}");
        }
    }
}
