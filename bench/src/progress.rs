//! How far the run is: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How far the run is.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    begun: Instant,
    /// What the measurements before this one were expected to take.
    passed: Duration,
    /// The same of this one.
    current: (Instant, Duration),
    name: &'static str,
}

impl Progress {
    pub(crate) fn new(total: Duration) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total.as_secs());
            let style = ProgressStyle::with_template("{elapsed_precise} [{bar:30}] {percent:>3} % {msg}");
            bar.set_style(style.expect("the template is right").progress_chars("=> "));
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        let begun = Instant::now();
        Self { bar, begun, passed: Duration::ZERO, current: (begun, Duration::ZERO), name: "" }
    }

    /// The next part of the run begins.
    pub(crate) fn part(&mut self, name: &'static str, expected: Duration) {
        self.passed += self.current.1;
        self.current = (Instant::now(), expected);
        self.name = name;
    }

    /// What happens now.
    pub(crate) fn now(&self, what: impl AsRef<str>) {
        let what = what.as_ref();
        let words = if self.name.is_empty() { what.to_owned() } else { format!("{}: {what}", self.name) };
        match &self.bar {
            Some(bar) => {
                bar.set_position((self.passed + self.current.0.elapsed().min(self.current.1)).as_secs());
                bar.set_message(words);
            }
            None => eprintln!("{:4} s  {words}", self.begun.elapsed().as_secs()),
        }
    }

    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
