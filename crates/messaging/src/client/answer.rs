//! Answering requests that arrive in a queue.

use std::fmt;
use std::marker::PhantomData;

use futures_util::future::join_all;
use serde::Serialize;

use super::{Broker, HandleBatch, Outcome, Publisher, Reply};
use crate::{Delivery, Failure, Outgoing, message};

/// Answers requests: `Q` in, `A` back.
pub trait Answer<Q, A>: Send + Sync + 'static {
    /// The answer to a request; a failure travels back as its reason.
    fn answer(&self, request: &Delivery<Q>) -> impl Future<Output = Result<A, Failure>> + Send;
}

/// Makes a [`HandleBatch`] of an [`Answer`], for the consumer of a queue of requests. The requests of a batch are
/// answered at the same time.
///
/// A request without a reply-to was published by hand: it is handled all the same, and its answer dropped.
pub struct Answering<H, A> {
    handler: H,
    publisher: Publisher,
    answer: PhantomData<fn() -> A>,
}

impl<H: fmt::Debug, A> fmt::Debug for Answering<H, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answering").field("handler", &self.handler).finish_non_exhaustive()
    }
}

impl Broker {
    /// Answers the requests of a queue with this handler.
    pub fn answering<H, A>(&self, handler: H) -> Answering<H, A> {
        Answering { handler, publisher: self.publisher(), answer: PhantomData }
    }
}

impl<Q, A, H> HandleBatch<Q> for Answering<H, A>
where
    Q: Send + Sync + 'static,
    A: Serialize + Send + Sync + 'static,
    H: Answer<Q, A>,
{
    async fn handle_batch(&self, batch: &[Delivery<Q>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        join_all(batch.iter().map(|request| self.respond(request))).await;
        // The caller waits a second or two, and can ask again: there is nothing to retry for it here.
        Ok(vec![Ok(()); batch.len()])
    }
}

impl<H, A: Serialize> Answering<H, A> {
    async fn respond<Q>(&self, request: &Delivery<Q>)
    where
        H: Answer<Q, A>,
    {
        let reply = match self.handler.answer(request).await {
            Ok(answer) => Reply::Answer(answer),
            Err(failure) => {
                tracing::warn!(queue = request.meta.queue, reason = %failure, "a request could not be answered");
                Reply::Failed(failure.reason)
            }
        };
        let (Some(reply_to), Some(correlation_id)) = (&request.meta.reply_to, &request.meta.correlation_id) else {
            return;
        };
        let kind = request.meta.kind.as_deref().unwrap_or_default();
        let outgoing =
            Outgoing::raw("", reply_to, kind, message::to_json(&reply)).with_correlation_id(correlation_id.as_str());
        match self.publisher.publish(outgoing).await {
            // Unroutable: the caller has gone.
            Outcome::Confirmed | Outcome::Unroutable => {}
            outcome => tracing::warn!(queue = request.meta.queue, %outcome, "an answer did not get through"),
        }
    }
}
