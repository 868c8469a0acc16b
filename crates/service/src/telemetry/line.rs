//! One event as one log line, as text or JSON, in which no input can begin another line or steer a terminal, and no token
//! is shown.

use std::fmt::{self, Write};

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::redact::hide_tokens;

/// The form of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: `time LEVEL target: message key=value …`.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Formats events and fields in a [`LogFormat`].
#[derive(Clone, Copy, Debug)]
pub struct Line(pub LogFormat);

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let meta = event.metadata();
        let trace = Context::map_current(|context| context.span().span_context().trace_id());
        let trace = (trace != opentelemetry::trace::TraceId::INVALID).then_some(trace);
        match self.0 {
            LogFormat::Text => {
                SystemTime.format_time(&mut to)?;
                write_level(&mut to, *meta.level())?;
                write!(to, "{}:", meta.target())?;
                ctx.format_fields(to.by_ref(), event)?;
                for span in ctx.event_scope().into_iter().flatten() {
                    if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                        to.write_str(fields)?;
                    }
                }
                if let Some(trace) = trace {
                    write!(to, " trace_id={trace}")?;
                }
            }
            LogFormat::Json => {
                to.write_str("{\"timestamp\":\"")?;
                SystemTime.format_time(&mut to)?;
                write!(to, "\",\"level\":\"{}\",\"target\":\"{}\"", meta.level(), meta.target())?;
                if let Some(trace) = trace {
                    write!(to, ",\"trace_id\":\"{trace}\"")?;
                }
                to.write_str(",\"fields\":{")?;
                let mut fields = String::new();
                ctx.format_fields(Writer::new(&mut fields), event)?;
                write!(to, "{}}}", fields.trim_start_matches(','))?;
                // The fields of a span are objects of their own: two spans may use the same name.
                to.write_str(",\"spans\":[")?;
                for (index, span) in ctx.event_scope().into_iter().flat_map(|scope| scope.from_root()).enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(to, "{comma}{{\"name\":\"{}\"", span.name())?;
                    if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                        to.write_str(fields)?;
                    }
                    to.write_char('}')?;
                }
                to.write_str("]}")?;
            }
        }
        writeln!(to)
    }
}

impl<'a> FormatFields<'a> for Line {
    fn format_fields<R: RecordFields>(&self, to: Writer<'a>, fields: R) -> fmt::Result {
        let mut visitor = Fields { format: self.0, to, result: Ok(()) };
        fields.record(&mut visitor);
        visitor.result
    }

    fn add_fields(&self, current: &'a mut FormattedFields<Self>, fields: &tracing::span::Record<'_>) -> fmt::Result {
        self.format_fields(current.as_writer(), fields)
    }
}

/// Writes each field with what separates it from the one before.
struct Fields<'a> {
    format: LogFormat,
    to: Writer<'a>,
    result: fmt::Result,
}

impl Fields<'_> {
    /// Writes what may come from outside, in quotes if that is asked for or the form has them.
    fn write(&mut self, field: &Field, value: &str, quoted: bool) {
        let value = hide_tokens(value);
        self.begin(field, |to, format| match format {
            LogFormat::Text if quoted => write!(Escaped { to, json: false }, "{value:?}"),
            LogFormat::Text => Escaped { to, json: false }.write_str(&value),
            LogFormat::Json => {
                to.write_char('"')?;
                Escaped { to, json: true }.write_str(&value)?;
                to.write_char('"')
            }
        });
    }

    fn write_bare(&mut self, field: &Field, value: impl fmt::Display) {
        self.begin(field, |to, _| write!(to, "{value}"));
    }

    fn begin(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>, LogFormat) -> fmt::Result) {
        let name = field.name();
        // What begins so is for OpenTelemetry, and says again what others say.
        if self.result.is_ok() && !name.starts_with("otel.") {
            self.result = match self.format {
                LogFormat::Text if name == "message" => self.to.write_char(' '),
                LogFormat::Text => write!(self.to, " {name}="),
                LogFormat::Json => write!(self.to, ",\"{name}\":"),
            }
            .and_then(|()| value(&mut self.to, self.format));
        }
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.write(field, &format!("{value:?}"), false);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.write(field, value, field.name() != "message" && !is_plain(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.write_bare(field, value);
        } else {
            self.write(field, &value.to_string(), false);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.write_bare(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.write_bare(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.write_bare(field, value);
    }
}

/// Whether a value needs no quotes to be told from the fields around it.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|c| c.is_alphanumeric() || "-_./:{}@+*".contains(c))
}

/// Escapes what could end a line, steer a terminal or turn the reading direction.
struct Escaped<'a, 'w> {
    to: &'a mut Writer<'w>,
    json: bool,
}

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(|c| needs_escape(c) || (self.json && matches!(c, '"' | '\\'))) {
            self.to.write_str(&rest[..at])?;
            let Some(c) = rest[at..].chars().next() else { break };
            match (self.json, c) {
                (true, '"' | '\\') => write!(self.to, "\\{c}")?,
                (true, c) => write!(self.to, "\\u{:04x}", u32::from(c))?,
                (false, c) => write!(self.to, "{}", c.escape_default())?,
            }
            rest = &rest[at + c.len_utf8()..];
        }
        self.to.write_str(rest)
    }
}

fn needs_escape(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn write_level(to: &mut Writer<'_>, level: Level) -> fmt::Result {
    if !to.has_ansi_escapes() {
        return write!(to, " {level:>5} ");
    }
    let colour = match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        _ => 34,
    };
    write!(to, " \x1b[{colour}m{level:>5}\x1b[0m ")
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const NASTY: &str = "a\r\nERROR forged \x1b[31mred\x07 \u{202e} \"quoted\\\"";

    fn logged(format: LogFormat, events: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .event_format(Line(format))
            .fmt_fields(Line(format))
            .with_ansi(false)
            .with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), events);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn nasty_events() {
        let span = tracing::info_span!("request", request_id = "r-1", agent = NASTY, late = tracing::field::Empty);
        let _entered = span.enter();
        span.record("late", NASTY);
        tracing::info!(string = NASTY, display = %NASTY, debug = ?NASTY, number = 7, yes = true, "said {NASTY}");
    }

    #[test]
    fn text_stays_on_its_line_whatever_is_logged() {
        let text = logged(LogFormat::Text, nasty_events);
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(!text.trim_end().contains(|c: char| c.is_control() || c == '\u{202e}'), "{text:?}");
        for part in [
            " INFO service::telemetry::line::tests: ",
            " number=7",
            " request_id=r-1",
            "\\r\\nERROR forged \\u{1b}[31m",
        ] {
            assert!(text.contains(part), "{part} is missing in {text:?}");
        }
    }

    #[test]
    fn json_gives_back_exactly_what_was_logged() {
        let text = logged(LogFormat::Json, nasty_events);
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["fields"]["string"], NASTY);
        assert_eq!(line["fields"]["display"], NASTY);
        assert_eq!(line["fields"]["message"], format!("said {NASTY}"));
        assert_eq!(line["fields"]["number"], 7);
        assert_eq!(line["spans"][0]["request_id"], "r-1");
        assert_eq!(line["spans"][0]["late"], NASTY);
        assert_eq!(line["level"], "INFO");
    }
}
