//! How many requests a client may send: counted in Redis for all gateways together, exactly.
//!
//! Requests of one client that arrive while Redis is being asked go together into the next question, so the load on Redis
//! does not grow with what one client sends. Who is known to be over the limit is refused without asking. While Redis is
//! away, each gateway goes on counting by itself.

mod client;
mod clients;
mod headers;
mod shared;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::ConnectionManager;
use tokio::time::Instant;

use client::standing;
use clients::Clients;
pub(crate) use headers::{PolicyHeaders, whole_seconds};
use shared::{Counted, Shared};

/// How many requests in how long a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) limit: u64,
    pub(crate) window: Duration,
}

/// How a client stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) is_allowed: bool,
    pub(crate) remaining: u64,
    /// How long the window lasts yet.
    pub(crate) reset: Duration,
}

/// Counts requests. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Limiter(Arc<Inner>);

struct Inner {
    policy: Policy,
    headers: PolicyHeaders,
    clients: Clients,
    shared: Shared,
}

impl Limiter {
    /// Redis gets so long for an answer; after that this gateway counts by itself.
    pub(crate) fn new(policy: Policy, redis: ConnectionManager, patience: Duration) -> Self {
        let (headers, shared) = (PolicyHeaders::new(policy), Shared::new(redis, policy.window, patience));
        Self(Arc::new(Inner { policy, headers, clients: Clients::default(), shared }))
    }

    /// Counts a request of a client.
    pub(crate) async fn count(&self, address: IpAddr) -> Standing {
        let Inner { policy, clients, shared, .. } = &*self.0;
        let client = clients.get(address);
        if let Some(standing) = client.over_limit(policy, Instant::now()) {
            return standing;
        }
        if !shared.is_away() {
            let (limiter, counting) = (self.clone(), client.clone());
            let asked = client.together.ask((), async move |requests| {
                let counted = limiter.0.shared.count(address, requests.len() as u64).await?;
                counting.counted(counted);
                Some(counted)
            });
            if let (place, Some(Counted { before, ends, .. })) = asked.await {
                return standing(policy, before + 1 + place as u64, ends, Instant::now());
            }
        }
        client.count_here(policy, Instant::now())
    }

    /// What tells a client of its limit.
    pub(crate) fn headers(&self) -> &PolicyHeaders {
        &self.0.headers
    }
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter").field("policy", &self.0.policy).finish_non_exhaustive()
    }
}
