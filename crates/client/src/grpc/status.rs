//! What a call that nobody answered is for who made it.

use std::sync::Arc;

use tonic::{Code, Status};

use crate::CallError;

impl From<CallError> for Status {
    fn from(error: CallError) -> Self {
        let code = match error {
            CallError::TimedOut { .. } => Code::DeadlineExceeded,
            CallError::RequestBody(_) => Code::Internal,
            CallError::NoInstance { .. }
            | CallError::AllOpen { .. }
            | CallError::Unreachable { .. }
            | CallError::Broken { .. } => Code::Unavailable,
        };
        let mut status = Self::new(code, error.to_string());
        status.set_source(Arc::new(error));
        status
    }
}
