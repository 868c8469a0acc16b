//! Trace context: who caused a message, carried in its `traceparent` header.

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::{Headers, Outgoing, header};

struct HeadersCarrier<'a>(&'a mut Headers);

impl Injector for HeadersCarrier<'_> {
    fn set(&mut self, key: &str, value: String) {
        // `tracestate` is mostly empty, and an empty header is noise in the management UI.
        if !value.is_empty() {
            self.0.set(key, value);
        }
    }
}

struct HeadersReader<'a>(&'a Headers);

impl Extractor for HeadersReader<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.text(key)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name).collect()
    }
}

impl Outgoing {
    /// With the trace context of the current span, unless it has one already. Without a tracer it stays as it is.
    #[must_use]
    pub fn with_current_trace(mut self) -> Self {
        if self.headers.text(header::TRACEPARENT).is_none() {
            let context = Span::current().context();
            if context.span().span_context().is_valid() {
                TraceContextPropagator::new().inject_context(&context, &mut HeadersCarrier(&mut self.headers));
            }
        }
        self
    }
}

/// Ties a span to whoever caused the message: as its child when it handles that one message, by a link in a batch.
pub(crate) fn follow<'a>(span: &Span, causes: impl ExactSizeIterator<Item = &'a Headers>) {
    let alone = causes.len() == 1;
    for headers in causes {
        if headers.text(header::TRACEPARENT).is_none() {
            continue;
        }
        let context = TraceContextPropagator::new().extract(&HeadersReader(headers));
        if alone {
            let _ = span.set_parent(context);
        } else {
            span.add_link(context.span().span_context().clone());
        }
    }
}
