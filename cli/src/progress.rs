//! How far a task is: on standard error, and only on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar up to a known end.
pub(crate) fn bar(what: &'static str, total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total).with_message(what);
    styled(bar, "{msg:10} [{bar:40}] {pos}/{len} {eta}")
}

/// What goes on until nothing is left.
pub(crate) fn counter(what: &'static str) -> ProgressBar {
    styled(ProgressBar::new_spinner().with_message(what), "{msg:10} {spinner} {pos} {per_sec}")
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("the templates are right");
    bar.set_style(style.progress_chars("=> "));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
