//! The one way out to other services.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::request::Parts;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::retry::budget::Budget;

use crate::balance::Chosen;
use crate::body::{Counted, Kept, SentBody};
use crate::discovery::{Discovery, Protocol, Service};
use crate::instance::Instance;
use crate::registry::Registry;
use crate::transport::{Failure, Transport};
use crate::{Answer, Call, CallArgs, CallError, InstanceReport, RegistryArgs, ServiceClient, backoff, headers};

/// The longest wait before the same instance is tried again.
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

/// Everything a process knows of the services it calls; one for the whole process.
#[derive(Clone, Debug)]
pub struct Services(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    discovery: Arc<Discovery>,
    transport: Transport,
    caller: HeaderValue,
    timeout: Duration,
    tries: u32,
    backoff: Duration,
}

impl Services {
    /// Begins to follow the registry, until `stop`; calls can be made also after that. `caller` is this program's name.
    ///
    /// # Errors
    /// If the settings cannot be used.
    pub fn start(
        registry: &RegistryArgs,
        calls: &CallArgs,
        caller: &'static str,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let transport = Transport::new();
        let registry = Registry::new(registry, transport.clone())?;
        Ok(Self(Arc::new(Inner {
            discovery: Discovery::start(registry, Protocol::Http, calls.clone(), stop),
            transport,
            caller: HeaderValue::from_static(caller),
            timeout: calls.call_timeout,
            tries: calls.call_tries,
            backoff: calls.call_backoff,
        })))
    }

    /// Sends a call to an instance of the service, and again where that is safe.
    ///
    /// # Errors
    /// If no instance answers. What an instance answers, be it an error, is an [`Answer`].
    pub async fn send(&self, service: &str, call: Call) -> Result<Answer, CallError> {
        let began = Instant::now();
        let Some(service) = self.0.discovery.service(service).await else {
            return Err(CallError::NoInstance { service: service.to_owned() });
        };
        let result = self.0.send(&service, call).await;
        service.meters().ended(&result, began.elapsed());
        result
    }

    /// A service that is called with JSON.
    pub fn service(&self, name: &'static str) -> ServiceClient {
        ServiceClient::new(self.clone(), name)
    }

    /// How the known instances are.
    pub fn report(&self) -> Vec<InstanceReport> {
        self.0.discovery.report()
    }

    pub(crate) fn default_timeout(&self) -> Duration {
        self.0.timeout
    }
}

impl Inner {
    async fn send(&self, service: &Service, call: Call) -> Result<Answer, CallError> {
        let limit = call.timeout.unwrap_or(self.timeout);
        let repeatable = call.may_repeat();
        let (mut head, body) = call.request.into_parts();
        headers::complete(&mut head.headers, &self.caller);
        let body = Kept::new(body);

        service.budget.deposit();
        let name = || service.name().to_owned();
        let mut attempt = match service.choose(&[]) {
            Chosen::Fresh(attempt) | Chosen::Again(attempt) => attempt,
            Chosen::AllOpen(retry_after) => return Err(CallError::AllOpen { service: name(), retry_after }),
            Chosen::Nobody => return Err(CallError::NoInstance { service: name() }),
        };
        let mut tried = Vec::new();
        for tries in 1.. {
            let request = address(&head, body.to_send(), attempt.instance());
            let sent = self.transport.send(request, body.upload().map(AsRef::as_ref), limit).await;
            let left = tries < self.tries;

            let failure = match sent {
                Ok(response) => {
                    attempt.succeeded();
                    // Behind the next one may be what this one lacks.
                    if left && repeatable && body.is_there() && lacks_something(response.status()) {
                        tried.push(attempt.instance().clone());
                        let other = service.choose_other(&tried);
                        if let Some(other) = other.filter(|_| service.budget.withdraw()) {
                            service.meters().retried();
                            attempt = other;
                            continue;
                        }
                    }
                    let (instance, address) =
                        (attempt.instance().id().to_owned(), attempt.instance().authority().clone());
                    let response = response.map(|body| Body::new(Counted::new(body, attempt)));
                    return Ok(Answer { response, instance, address, tries });
                }
                Err(Failure::RequestBody(error)) => return Err(CallError::RequestBody(error)),
                Err(failure) => failure,
            };

            let nothing_sent = matches!(failure, Failure::Unreachable);
            let instance = attempt.failed();
            if nothing_sent {
                instance.shun(Instant::now());
            }
            tried.push(instance);
            let error = match failure {
                Failure::Unreachable => CallError::Unreachable { service: name() },
                Failure::TimedOut => CallError::TimedOut { service: name() },
                _ => CallError::Broken { service: name() },
            };
            if !left || !body.is_there() || !(nothing_sent || repeatable) {
                return Err(error);
            }
            attempt = match service.choose(&tried) {
                // The first instance has had no work of this call, so the second is no repetition.
                Chosen::Fresh(attempt) if nothing_sent || service.budget.withdraw() => attempt,
                Chosen::Again(attempt) if service.budget.withdraw() => {
                    tokio::time::sleep(backoff::wait(self.backoff, LONGEST_BACKOFF, tries)).await;
                    attempt
                }
                _ => return Err(error),
            };
            service.meters().retried();
        }
        unreachable!("the last try returns")
    }
}

/// The request as one instance gets it.
fn address(head: &Parts, body: SentBody, instance: &Instance) -> Request<SentBody> {
    let path = head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let uri = Uri::builder().scheme(Scheme::HTTP).authority(instance.authority().clone()).path_and_query(path);
    let mut request = Request::new(body);
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = uri.build().expect("scheme, authority and path make a URI");
    *request.headers_mut() = head.headers.clone();
    request.headers_mut().insert(header::HOST, instance.host().clone());
    request
}

/// Whether an instance says that it is not able to do its work now.
fn lacks_something(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}
