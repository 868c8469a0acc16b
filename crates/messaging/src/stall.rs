//! What stands still is told once.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// Something that can stand still: it is logged once when it does and once when it goes on, not at each try.
#[derive(Debug)]
pub(crate) struct Stall {
    what: &'static str,
    stalled: AtomicBool,
}

impl Stall {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { what, stalled: AtomicBool::new(false) }
    }

    pub(crate) fn begins(&self, reason: &dyn fmt::Display) {
        if !self.stalled.swap(true, Ordering::Relaxed) {
            tracing::warn!(%reason, "{} stands still", self.what);
        }
    }

    pub(crate) fn ends(&self) {
        if self.stalled.swap(false, Ordering::Relaxed) {
            tracing::info!("{} goes on", self.what);
        }
    }
}
