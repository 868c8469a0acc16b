//! Why a task was not done, and the exit code that says so.

use std::process::ExitCode;

/// Why a task was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Something was answered that should not have been.
    #[error("{0}")]
    Wrong(String),
    /// Nobody answers, or only that they cannot now.
    #[error("{0}")]
    Away(String),
    /// Nobody knows these credentials, or they are not enough.
    #[error("{0}")]
    Refused(String),
    /// Only a part of it is done.
    #[error("{0}")]
    Partly(String),
}

/// For `--help`; wrong usage is clap's.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  something was answered that should not have been
  2  wrong usage
  3  nobody answers, or only that they cannot now
  4  the e-mail address and password are not known, or not enough
  5  only a part of it is done; it can be run again";

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Wrong(_) => 1,
            Self::Away(_) => 3,
            Self::Refused(_) => 4,
            Self::Partly(_) => 5,
        })
    }
}
