//! What becomes of the commands to charge and to give back, however often and in whatever order they come.
//!
//! - A payment is decided once: its document is made by one insert, with the event that tells of it. A command that finds it
//!   changes nothing. The provider is asked before, under the order's id as its key, so that it can be asked again.
//! - A refund that comes before the charge closes the key at the provider: the charge is never made.
//! - A charge that the provider does not answer is tried again, a few times. Then the payment has failed, so that no order
//!   hangs; since the charge may have been made all the same, a refund goes along in the same write, to this service itself.
//! - A refund is tried for as long as it takes. One that is asked for again changes nothing, and its end is told again.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use contracts::payments::{PaymentCommand, ProcessPayment, RefundPayment};
use futures_util::future::join_all;
use messaging::{Delivery, Failure, FailureKind, HandleBatch, Meta};
use service::documents::{Change, Documents};
use service::{ApiError, ApiResult};
use tokio::time::timeout;

use crate::payment::Payment;
use crate::provider::{Charge, Charged, PaymentProvider, ProviderError, Refunded};

/// A fault of our own is not the provider's: after so many tries, about half an hour, somebody must look at it.
const TRIES_OF_OUR_OWN: u32 = 20;

/// How patient the service is with its provider.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How often a charge is tried.
    pub tries: u32,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// Decides payments, each once.
#[derive(Debug)]
pub struct TakeCommands<P> {
    payments: Documents<Payment>,
    provider: Arc<P>,
    patience: Patience,
}

impl<P: PaymentProvider> TakeCommands<P> {
    /// Decides by what this provider says.
    pub fn new(payments: Documents<Payment>, provider: P, patience: Patience) -> Self {
        Self { payments, provider: Arc::new(provider), patience }
    }

    async fn take(&self, delivery: &Delivery<PaymentCommand>) -> Result<(), Failure> {
        let meta = &delivery.meta;
        match &delivery.payload {
            PaymentCommand::Process(command) => self.process(command, meta).await,
            PaymentCommand::Refund(command) => self.refund(command, meta).await,
        }
    }

    async fn process(&self, command: &ProcessPayment, meta: &Meta) -> Result<(), Failure> {
        let ProcessPayment { order_id, user_id, amount } = *command;
        let charge = Charge { order_id, user_id, amount };
        let known = self.payments.find(order_id).await.map_err(|error| failure(error, meta))?;
        if let Some(payment) = known {
            if payment.charge() != charge {
                tracing::warn!(%order_id, "an order is to be paid again, differently; it is not");
            }
            return Ok(());
        }
        if amount.amount < 0 {
            return self.record(Change::to(Payment::failed(&charge, "the amount is below zero")), meta).await;
        }
        let decided = match self.patiently(self.provider.charge(&charge)).await {
            Ok(Charged::Accepted) => Change::to(Payment::completed(&charge)),
            Ok(Charged::Declined(reason)) => Change::to(Payment::failed(&charge, reason)),
            // Whoever gave it back tells of it.
            Ok(Charged::Closed) => return Ok(()),
            Err(error) if meta.attempt < self.patience.tries => return Err(Failure::retry(error)),
            Err(error) => given_up(&charge, &error),
        };
        self.record(decided, meta).await
    }

    async fn refund(&self, command: &RefundPayment, meta: &Meta) -> Result<(), Failure> {
        let RefundPayment { order_id, user_id, amount, ref reason } = *command;
        let known = self.payments.find(order_id).await.map_err(|error| failure(error, meta))?;
        if let Some(refunded) = known.as_ref().filter(|payment| payment.is_refunded()) {
            return self.announce(refunded.clone(), meta).await;
        }
        let charge = known.as_ref().map_or(Charge { order_id, user_id, amount }, Payment::charge);
        let refunded = self.patiently(self.provider.refund(&charge)).await.map_err(Failure::retry)?;
        if known.is_none() && self.create(Change::to(Payment::refunded(&charge, reason)), meta).await? {
            return Ok(());
        }
        let mut is_given_back = false;
        let giving_back = self.payments.change(order_id, |present| {
            let next = present.given_back(reason);
            is_given_back = next.is_some();
            Ok(next.map(|payment| caused_by(meta, Change::to(payment))))
        });
        let payment = giving_back.await.map_err(|error| failure(error, meta))?;
        let status = payment.state().status;
        match refunded {
            Refunded::GivenBack => tracing::info!(%order_id, ?status, reason, "what was charged is given back"),
            Refunded::NothingCharged => {
                tracing::info!(%order_id, ?status, reason, "nothing was charged, and nothing will be")
            }
        }
        if is_given_back { Ok(()) } else { self.announce(payment, meta).await }
    }

    /// Whoever asks for a refund again has not heard of the end of the payment.
    async fn announce(&self, ended: Payment, meta: &Meta) -> Result<(), Failure> {
        let announced = self.payments.announce(caused_by(meta, Change::to(ended))).await;
        announced.map_err(|error| failure(error, meta))
    }

    async fn record(&self, decided: Change<Payment>, meta: &Meta) -> Result<(), Failure> {
        // If another was there before, it was decided by the same charge, or by a refund that has closed it.
        self.create(decided, meta).await.map(drop)
    }

    /// Whether there was none before.
    async fn create(&self, new: Change<Payment>, meta: &Meta) -> Result<bool, Failure> {
        let state = new.to.state();
        let created: ApiResult<()> = self.payments.create(caused_by(meta, new), None, ()).await;
        match created {
            Ok(()) => {
                tracing::info!(order_id = %state.order_id, status = ?state.status, reason = state.reason, "decided");
                Ok(true)
            }
            Err(error) if error.status() == StatusCode::CONFLICT => Ok(false),
            Err(error) => Err(failure(error, meta)),
        }
    }

    async fn patiently<T>(&self, call: impl Future<Output = Result<T, ProviderError>>) -> Result<T, ProviderError> {
        let limit = self.patience.timeout;
        timeout(limit, call).await.unwrap_or_else(|_| Err(ProviderError(format!("no answer within {limit:?}"))))
    }
}

impl<P: PaymentProvider> HandleBatch<PaymentCommand> for TakeCommands<P> {
    /// At the same time, because the provider takes its time for each.
    async fn handle_batch(&self, batch: &[Delivery<PaymentCommand>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let verdicts = join_all(batch.iter().map(|delivery| self.take(delivery))).await;
        let away = |verdict: &&Result<(), Failure>| {
            verdict.as_ref().is_err_and(|failure| failure.kind == FailureKind::Unavailable)
        };
        match verdicts.iter().find(away) {
            // MongoDB is away for all of them, whose tries are not to be spent on it.
            Some(Err(failure)) => Err(failure.clone()),
            _ => Ok(verdicts),
        }
    }
}

/// The payment has failed, and whatever the provider has done, it is to be undone.
fn given_up(charge: &Charge, error: &ProviderError) -> Change<Payment> {
    tracing::warn!(order_id = %charge.order_id, %error, "a payment could not be decided in its tries");
    let reason = "the payment provider does not answer";
    let mut change = Change::to(Payment::failed(charge, reason));
    let Charge { order_id, user_id, amount } = *charge;
    let undo = RefundPayment { order_id, user_id, amount, reason: reason.to_owned() };
    change.messages.push(PaymentCommand::Refund(undo).outgoing());
    change
}

/// What is sent belongs to the request that the command came from.
fn caused_by(meta: &Meta, change: Change<Payment>) -> Change<Payment> {
    let Some(id) = &meta.correlation_id else { return change };
    let messages = change.messages.into_iter().map(|message| message.with_correlation_id(id)).collect();
    Change { messages, ..change }
}

/// What an error of ours means for the command.
fn failure(error: ApiError, meta: &Meta) -> Failure {
    let failure = Failure::from(error);
    let is_over = failure.kind == FailureKind::Retry && meta.attempt >= TRIES_OF_OUR_OWN;
    if is_over { Failure::reject(failure) } else { failure }
}
