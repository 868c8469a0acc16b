//! What moves the money: somebody else's service, known to this one by two calls.

use contracts::Money;
use uuid::Uuid;

/// What is to be charged, or given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The order to be paid. It is the idempotency key of every call about it.
    pub order_id: Uuid,
    /// Who pays.
    pub user_id: Uuid,
    /// How much.
    pub amount: Money,
}

/// The provider's answer to a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charged {
    /// The user was charged, now or by an earlier call under this key.
    Accepted,
    /// The user was not charged, for this reason, and never will be under this key.
    Declined(String),
    /// It was given back before it came to this call: no more is ever charged under this key.
    Closed,
}

/// The provider's answer to a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refunded {
    /// What was charged is given back, now or by an earlier call under this key.
    GivenBack,
    /// Nothing was charged under this key, and nothing ever will be.
    NothingCharged,
}

/// The provider did not answer, or not now. Whether the call has taken effect is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payment provider: {0}")]
pub struct ProviderError(pub String);

/// A payment provider.
///
/// Both calls may be repeated, in any order and at the same time, by processes that know nothing of each other: under one key
/// there is one charge and one refund at most, and after a refund no charge. A provider that has no call of its own to close a
/// key has one that creates a payment and one that confirms it: then `charge` is both, and `refund` cancels what is not
/// confirmed.
pub trait PaymentProvider: Send + Sync + 'static {
    /// Takes the money.
    fn charge(&self, charge: &Charge) -> impl Future<Output = Result<Charged, ProviderError>> + Send;

    /// Gives the money back or, if it was not taken yet, sees to it that it never is.
    fn refund(&self, charge: &Charge) -> impl Future<Output = Result<Refunded, ProviderError>> + Send;
}
