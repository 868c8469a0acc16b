//! Request metrics whose handles are looked up once per route, method and status, not once per request.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use metrics::{Counter, Histogram, counter, histogram};

/// The metrics of one route.
#[derive(Clone, Debug, Default)]
pub(super) struct Meters(Arc<RwLock<Vec<(Labels, Handles)>>>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Labels {
    pub(super) method: &'static str,
    pub(super) route: Arc<str>,
    pub(super) status: u16,
}

type Handles = (Counter, Histogram);

impl Meters {
    pub(super) fn record(&self, method: &'static str, route: &str, status: StatusCode, took: Duration) {
        let status = status.as_u16();
        let record = |(count, seconds): &Handles| {
            count.increment(1);
            seconds.record(took);
        };
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let is_same = |labels: &Labels| labels.status == status && labels.method == method && *labels.route == *route;
        if let Some((_, handles)) = known.iter().find(|(labels, _)| is_same(labels)) {
            return record(handles);
        }
        drop(known);
        let labels = Labels { method, route: route.into(), status };
        let handles = labels.handles();
        record(&handles);
        self.0.write().unwrap_or_else(PoisonError::into_inner).push((labels, handles));
    }
}

impl Labels {
    fn handles(&self) -> Handles {
        let Self { method, route, status } = self;
        (
            counter!(
                "http_requests_total",
                "method" => *method, "route" => route.to_string(), "status" => status.to_string()
            ),
            histogram!("http_request_seconds", "method" => *method, "route" => route.to_string()),
        )
    }
}

/// The method as a label: a client may invent methods, and each would be a metric of its own.
pub(super) fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
