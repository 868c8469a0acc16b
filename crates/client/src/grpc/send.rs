//! A call: to one instance, and to another where that is safe.

use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Request, Uri};
use http_body_util::Full;
use service::grpc::TIMEOUT;
use tokio::time::{Instant, sleep, timeout_at};
use tonic::Code;
use tower::retry::budget::Budget;

use super::Inner;
use super::answer::Answer;
use crate::balance::Chosen;
use crate::discovery::Service;
use crate::instance::Instance;
use crate::transport::Failure;
use crate::{CallError, backoff, headers};

/// The longest wait before the same instance is tried again.
const LONGEST_BACKOFF: Duration = Duration::from_millis(500);

impl Inner {
    pub(super) async fn call(
        &self,
        service: &str,
        head: Parts,
        message: Bytes,
        deadline: Instant,
        idempotent: bool,
    ) -> Result<Answer, CallError> {
        let began = Instant::now();
        // Whoever asks for little time is not to wait for a slow registry either.
        let found = timeout_at(deadline, self.discovery.service(service)).await.ok().flatten();
        let Some(service) = found else { return Err(CallError::NoInstance { service: service.to_owned() }) };
        let result = self.send(&service, head, message, deadline, idempotent).await;
        service.meters().count(result.as_ref().map(Answer::is_server_error), began.elapsed());
        result
    }

    async fn send(
        &self,
        service: &Service,
        mut head: Parts,
        message: Bytes,
        deadline: Instant,
        idempotent: bool,
    ) -> Result<Answer, CallError> {
        headers::complete(&mut head.headers, &self.caller);
        service.budget.deposit();
        let name = || service.name().to_owned();
        let mut attempt = match service.choose(&[]) {
            Chosen::Fresh(attempt) | Chosen::Again(attempt) => attempt,
            Chosen::AllOpen(retry_after) => return Err(CallError::AllOpen { service: name(), retry_after }),
            Chosen::Nobody => return Err(CallError::NoInstance { service: name() }),
        };
        let mut tried = Vec::new();
        for tries in 1.. {
            let left = tries < self.tries;
            let request = address(&head, &message, attempt.instance(), deadline);
            let failure = match self.transport.send(request, deadline).await {
                Ok(answer) => {
                    match answer.code() {
                        // The instance's clock ran out before ours; either way nobody got an answer in time.
                        Code::DeadlineExceeded => drop(attempt.failed()),
                        Code::Unavailable if left && idempotent => {
                            attempt.succeeded();
                            tried.push(attempt.instance().clone());
                            let other = service.choose_other(&tried).filter(|_| service.budget.withdraw());
                            if let Some(other) = other {
                                service.meters().retried();
                                attempt = other;
                                continue;
                            }
                        }
                        _ => attempt.succeeded(),
                    }
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            let nothing_sent = matches!(failure, Failure::Unreachable);
            let instance = attempt.failed();
            if nothing_sent {
                instance.shun(Instant::now());
            }
            tried.push(instance);
            let error = match failure {
                Failure::TimedOut => return Err(CallError::TimedOut { service: name() }),
                Failure::Unreachable => CallError::Unreachable { service: name() },
                _ => CallError::Broken { service: name() },
            };
            if !left || !(nothing_sent || idempotent) {
                return Err(error);
            }
            attempt = match service.choose(&tried) {
                // The first instance has had no work of this call, so the second is no repetition.
                Chosen::Fresh(attempt) if nothing_sent || service.budget.withdraw() => attempt,
                Chosen::Again(attempt) if service.budget.withdraw() => {
                    let wait = backoff::wait(self.backoff, LONGEST_BACKOFF, tries);
                    sleep(wait.min(deadline.saturating_duration_since(Instant::now()))).await;
                    attempt
                }
                _ => return Err(error),
            };
            service.meters().retried();
        }
        unreachable!("the last try returns")
    }
}

/// The request as one instance gets it, with the time that is left.
fn address(head: &Parts, message: &Bytes, instance: &Instance, deadline: Instant) -> Request<Full<Bytes>> {
    let path = head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let uri = Uri::builder().scheme(Scheme::HTTP).authority(instance.authority().clone()).path_and_query(path);
    let mut request = Request::new(Full::new(message.clone()));
    *request.method_mut() = head.method.clone();
    *request.uri_mut() = uri.build().expect("scheme, authority and path make a URI");
    *request.headers_mut() = head.headers.clone();
    let left = deadline.saturating_duration_since(Instant::now()).as_millis().clamp(1, 99_999_999);
    let left = HeaderValue::try_from(format!("{left}m")).expect("digits and a letter are a header's value");
    request.headers_mut().insert(TIMEOUT, left);
    request
}
