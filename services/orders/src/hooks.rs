//! Where tests stop a process in the middle of its work.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::saga::Call;

type Hook = dyn Fn(String) -> BoxFuture<'static, ()> + Send + Sync;

/// Called between the steps of the saga, with the place that was reached: `before reserve`, `after reserve`, `recorded reserve`,
/// and the same for `commit` and `release`. For tests: what waits here for ever is as good as dead.
#[derive(Clone, Default)]
pub struct Hooks(Option<Arc<Hook>>);

impl Hooks {
    /// With this function.
    pub fn new(hook: impl Fn(String) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    pub(crate) async fn reached(&self, place: &str, call: Call) {
        if let Some(hook) = &self.0 {
            hook(format!("{place} {call:?}").to_lowercase()).await;
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooks")
    }
}
