//! A payment that was decided, as it is stored, and the events that tell of it.

use contracts::Money;
use contracts::headers::VERSION;
use contracts::payments::{PaymentCompleted, PaymentFailed, PaymentRefunded, PaymentState, PaymentStatus};
use messaging::Outgoing;
use serde::{Deserialize, Serialize};
use service::documents::{Aggregate, WhenFull, instant, now};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::provider::Charge;

/// A payment that was decided. Before, there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The order that it pays for.
    #[serde(rename = "_id", with = "uuid::serde::hyphenated")]
    order_id: Uuid,
    #[serde(with = "uuid::serde::hyphenated")]
    pub(crate) user_id: Uuid,
    amount: Money,
    status: PaymentStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    version: i64,
    #[serde(with = "instant")]
    created_at: OffsetDateTime,
    #[serde(with = "instant")]
    updated_at: OffsetDateTime,
}

impl Payment {
    pub(crate) fn completed(charge: &Charge) -> Self {
        Self::new(charge, PaymentStatus::Completed, None)
    }

    pub(crate) fn failed(charge: &Charge, reason: impl Into<String>) -> Self {
        Self::new(charge, PaymentStatus::Failed, Some(reason.into()))
    }

    /// Given back before it was recorded that it was charged, if it was.
    pub(crate) fn refunded(charge: &Charge, reason: &str) -> Self {
        Self::new(charge, PaymentStatus::Refunded, Some(reason.to_owned()))
    }

    fn new(charge: &Charge, status: PaymentStatus, reason: Option<String>) -> Self {
        let (now, Charge { order_id, user_id, amount }) = (now(), *charge);
        Self { order_id, user_id, amount, status, reason, version: 1, created_at: now, updated_at: now }
    }

    /// What becomes of it when it is given back; `None` if it was before, or if nothing was charged.
    pub(crate) fn given_back(&self, reason: &str) -> Option<Self> {
        (self.status == PaymentStatus::Completed).then(|| Self {
            status: PaymentStatus::Refunded,
            reason: Some(reason.to_owned()),
            version: self.version + 1,
            updated_at: now(),
            ..self.clone()
        })
    }

    pub(crate) fn is_refunded(&self) -> bool {
        self.status == PaymentStatus::Refunded
    }

    /// What the provider was asked for.
    pub(crate) fn charge(&self) -> Charge {
        Charge { order_id: self.order_id, user_id: self.user_id, amount: self.amount }
    }

    pub(crate) fn state(&self) -> PaymentState {
        PaymentState {
            order_id: self.order_id,
            user_id: self.user_id,
            amount: self.amount,
            status: self.status,
            reason: self.reason.clone(),
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

impl Aggregate for Payment {
    const NAME: &'static str = "payment";
    const WHEN_FULL: WhenFull = WhenFull::Refuse;

    fn id(&self) -> Uuid {
        self.order_id
    }

    fn version(&self) -> i64 {
        self.version
    }

    fn is_deleted(&self) -> bool {
        false
    }

    fn event(&self) -> Option<Outgoing> {
        let state = self.state();
        let event = match self.status {
            PaymentStatus::Completed => Outgoing::new(&PaymentCompleted(state)),
            PaymentStatus::Failed => Outgoing::new(&PaymentFailed(state)),
            PaymentStatus::Refunded => Outgoing::new(&PaymentRefunded(state)),
        };
        Some(event.with_header(VERSION, self.version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge() -> Charge {
        let amount = Money::new(1999, "EUR".parse().unwrap());
        Charge { order_id: Uuid::now_v7(), user_id: Uuid::now_v7(), amount }
    }

    /// The driver reads raw bytes, which is another way than they are written.
    #[test]
    fn a_payment_is_read_as_it_was_written() {
        for payment in [Payment::completed(&charge()), Payment::failed(&charge(), "card declined")] {
            let bytes = bson::serialize_to_document(&payment).unwrap().to_vec().unwrap();
            assert_eq!(bson::deserialize_from_slice::<Payment>(&bytes).unwrap(), payment);
        }
    }

    #[test]
    fn each_state_has_its_event_and_only_what_was_charged_is_given_back() {
        let completed = Payment::completed(&charge());
        let refunded = completed.given_back("cancelled").unwrap();
        let failed = Payment::failed(&charge(), "card declined");
        let events =
            [(&completed, "payment.completed", 1), (&failed, "payment.failed", 1), (&refunded, "payment.refunded", 2)];
        for (payment, kind, version) in events {
            let event = payment.event().unwrap();
            assert_eq!((event.kind.as_str(), event.headers.int(VERSION)), (kind, Some(version)));
        }
        assert_eq!((refunded.given_back("again"), failed.given_back("no")), (None, None));
    }
}
