//! An instance of a service: where it is, how it is, and the calls it has in flight.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use http::uri::Authority;
use tokio::time::Instant;

use crate::breaker::{Breaker, BreakerPolicy, Change, Ticket};
use crate::{BreakerState, InstanceReport};

/// How long an instance that refused a connection is not chosen if there is another.
const SHUNNED: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Instance {
    service: Arc<str>,
    id: String,
    authority: Authority,
    host: HeaderValue,
    breaker: Mutex<Breaker>,
    in_flight: AtomicUsize,
    born: Instant,
    /// In milliseconds after `born`.
    shunned_until: AtomicU64,
    state: metrics::Gauge,
}

impl Instance {
    /// `None` if the address is none.
    pub(crate) fn new(service: &Arc<str>, id: &str, authority: Authority, policy: BreakerPolicy) -> Option<Arc<Self>> {
        let host = HeaderValue::from_str(authority.as_str()).ok()?;
        let labels = [("service", service.to_string()), ("instance", authority.to_string())];
        let state = metrics::gauge!("client_breaker_state", &labels);
        state.set(0.0);
        Some(Arc::new(Self {
            service: service.clone(),
            id: id.to_owned(),
            authority,
            host,
            breaker: Mutex::new(Breaker::new(policy)),
            in_flight: AtomicUsize::new(0),
            born: Instant::now(),
            shunned_until: AtomicU64::new(0),
            state,
        }))
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    pub(crate) fn host(&self) -> &HeaderValue {
        &self.host
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether a connection was refused a moment ago.
    pub(crate) fn is_shunned(&self, now: Instant) -> bool {
        let until = self.shunned_until.load(Ordering::Relaxed);
        until > 0 && self.since_born(now) < until
    }

    pub(crate) fn shun(&self, now: Instant) {
        self.shunned_until.store(self.since_born(now + SHUNNED), Ordering::Relaxed);
    }

    pub(crate) fn would_pass(&self, now: Instant) -> bool {
        self.breaker().would_pass(now)
    }

    pub(crate) fn retry_after(&self, now: Instant) -> Duration {
        self.breaker().retry_after(now)
    }

    /// Begins a call, if the breaker lets it through.
    pub(crate) fn attempt(self: &Arc<Self>, now: Instant) -> Option<Attempt> {
        let (ticket, change) = self.breaker().try_pass(now)?;
        self.tell(change);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Some(Attempt { instance: self.clone(), ticket: Some(ticket) })
    }

    pub(crate) fn report(&self) -> InstanceReport {
        let breaker = self.breaker();
        InstanceReport {
            service: self.service.to_string(),
            instance: self.id.clone(),
            address: self.authority.to_string(),
            breaker: breaker.state(),
            consecutive_failures: breaker.failures(),
            in_flight: self.in_flight(),
        }
    }

    /// It is known no more. The metric stays, and must not show an open breaker for ever.
    pub(crate) fn retire(&self) {
        self.state.set(0.0);
    }

    fn since_born(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.born).as_millis()).unwrap_or(u64::MAX)
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        // Nothing in there panics, and its state would be whole if it did.
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: Option<Change>) {
        let Some(change) = change else { return };
        let (service, instance, address) = (&*self.service, self.id.as_str(), self.authority.as_str());
        match change {
            Change::Opened => {
                tracing::warn!(service, instance, address, "an instance does not answer and is left alone for a while");
            }
            Change::HalfOpened => tracing::debug!(service, instance, address, "one call tries the instance again"),
            Change::Closed => tracing::info!(service, instance, address, "the instance answers again"),
        }
        self.state.set(match change {
            Change::Closed => 0.0,
            Change::HalfOpened => 1.0,
            Change::Opened => 2.0,
        });
    }
}

/// `address:port`, with brackets around an IPv6 address. The registry tells addresses, so a name is none.
pub(crate) fn authority(host: &str, port: u16) -> Option<Authority> {
    SocketAddr::new(host.parse().ok()?, port).to_string().parse().ok().filter(|_| port > 0)
}

/// One call to an instance. It counts as in flight until it is dropped; dropped before its end is known, it says nothing
/// about the instance.
#[derive(Debug)]
pub(crate) struct Attempt {
    instance: Arc<Instance>,
    ticket: Option<Ticket>,
}

impl Attempt {
    pub(crate) fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// It was answered. It stays in flight for as long as the answer does.
    pub(crate) fn succeeded(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let change = self.instance.breaker().succeeded(ticket);
            self.instance.tell(change);
        }
    }

    /// It was not answered.
    pub(crate) fn failed(mut self) -> Arc<Instance> {
        if let Some(ticket) = self.ticket.take() {
            let change = self.instance.breaker().failed(ticket, Instant::now());
            self.instance.tell(change);
        }
        self.instance.clone()
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.instance.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some(ticket) = self.ticket.take() {
            let mut breaker = self.instance.breaker();
            let was = breaker.state();
            breaker.abandoned(ticket, Instant::now());
            if was == BreakerState::HalfOpen && breaker.state() == BreakerState::Open {
                self.instance.state.set(2.0);
            }
        }
    }
}
