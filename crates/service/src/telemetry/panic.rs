//! Panics as log lines, with the span they happened in.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{PanicHookInfo, set_hook};

pub(super) fn log_panics() {
    set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string);
        tracing::error!(location, thread = std::thread::current().name(), "panicked: {}", message(info));
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            // A hundred frames in one line: only for those who ask for it.
            tracing::debug!(%backtrace, "the panic came from here");
        }
    }));
}

fn message<'a>(info: &'a PanicHookInfo<'_>) -> &'a str {
    info.payload_as_str().unwrap_or("without a message")
}
