//! `warren tail`: the events as they pass, one line each.

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use contracts::EVENTS;
use contracts::headers::{TASK_ID, VERSION};
use messaging::{Broker, ConnectError, Passing, Settings, Topology};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep_until};

use crate::args::TailArgs;
use crate::failure::Failure;
use crate::out;

/// More of a body than this does not fit a line.
const SHOWN_CHARS: usize = 300;

/// Without a limit it goes on for as long as anybody lives.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

pub(crate) async fn run(args: TailArgs, json: bool) -> Result<(), Failure> {
    let settings = Settings::new(args.amqp_url.expose_secret(), "warren tail", Topology::default());
    let broker = Broker::open(settings).map_err(|error| Failure::Wrong(error.to_string()))?;
    let routing_keys: Vec<&str> = args.events.iter().map(String::as_str).collect();
    let mut watch = broker.watch(EVENTS, &routing_keys).await.map_err(away)?;
    if !json && stdout().is_terminal() {
        out::error(&format!("Watching {} on `{EVENTS}`; Ctrl-C ends it.", routing_keys.join(", ")));
    }

    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| Failure::Wrong(error.to_string()))?;
    let end = Instant::now() + args.seconds.map_or(FOR_EVER, |seconds| Duration::from_secs(seconds.into()));
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        let passing = tokio::select! {
            passing = watch.next() => passing.map_err(away)?,
            _ = interrupt.recv() => break,
            () = sleep_until(end) => break,
        };
        let Some(passing) = passing else { return Err(Failure::Away("the broker ended the connection".to_owned())) };
        if args.about.as_ref().is_some_and(|about| !is_about(&passing, about)) {
            continue;
        }
        let is_read = if json { out::json(&as_json(&passing)) } else { out::line(&as_line(&passing)) };
        // Who reads may have seen enough.
        if !is_read {
            break;
        }
        left -= 1;
    }
    broker.close().await;
    Ok(())
}

fn away(error: ConnectError) -> Failure {
    Failure::Away(format!("RabbitMQ at AMQP_URL: {error}"))
}

fn is_about(passing: &Passing, text: &str) -> bool {
    let meta = &passing.meta;
    let of_task = meta.headers.text(TASK_ID) == Some(text);
    let ids = [meta.message_id.as_deref(), meta.correlation_id.as_deref()];
    of_task || ids.contains(&Some(text)) || String::from_utf8_lossy(&passing.body).contains(text)
}

fn as_json(passing: &Passing) -> Value {
    let meta = &passing.meta;
    json!({
        "seen_at": OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
        "event": passing.routing_key,
        "message_id": meta.message_id,
        "version": meta.headers.int(VERSION),
        "service": meta.app_id,
        "task_id": meta.headers.text(TASK_ID),
        "correlation_id": meta.correlation_id,
        "body": body(passing),
    })
}

/// What is not JSON is told as a text.
fn body(passing: &Passing) -> Value {
    serde_json::from_slice(&passing.body).unwrap_or_else(|_| String::from_utf8_lossy(&passing.body).into())
}

fn as_line(passing: &Passing) -> String {
    let (hour, minute, second, milli) = OffsetDateTime::now_utc().time().as_hms_milli();
    let version = passing.meta.headers.int(VERSION).map(|version| format!("v{version}")).unwrap_or_default();
    let service = passing.meta.app_id.as_deref().unwrap_or("-");
    let shown = out::beginning(&body(passing).to_string(), SHOWN_CHARS);
    let event = &passing.routing_key;
    format!("{hour:02}:{minute:02}:{second:02}.{milli:03} {event:18} {version:4} {service:9} {shown}")
}

#[cfg(test)]
mod tests {
    use messaging::Meta;

    use super::*;

    fn passing(body: &str) -> Passing {
        let mut meta =
            Meta { message_id: Some("m-1".to_owned()), app_id: Some("producer".to_owned()), ..Meta::default() };
        meta.headers.set(VERSION, 3_i64);
        meta.headers.set(TASK_ID, "t-1".to_owned());
        Passing { meta, routing_key: "user.created".to_owned(), body: body.to_owned().into() }
    }

    #[test]
    fn of_a_long_body_the_beginning_is_shown() {
        for body in ["{\"name\":\"ada\"}", "no JSON", &format!("\"{}\"", "x".repeat(10_000))] {
            let line = as_line(&passing(body));
            assert!(line.contains("user.created") && line.contains(" v3 ") && line.chars().count() < 400, "{line}");
        }
    }

    #[test]
    fn what_an_event_is_about_is_any_of_its_ids_or_a_part_of_its_body() {
        let event = passing(r#"{"user_id":"u-1"}"#);
        for about in ["m-1", "t-1", "u-1"] {
            assert!(is_about(&event, about), "{about}");
        }
        assert!(!is_about(&event, "u-2"));
    }
}
