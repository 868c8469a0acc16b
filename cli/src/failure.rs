//! Why a task was not done, and the exit code that says so.

use std::process::ExitCode;

/// Why a task was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What was asked for cannot be done, or its answer is not understood.
    #[error("{0}")]
    Wrong(String),
    /// More must be said on the command line.
    #[error("{0}")]
    Usage(String),
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

/// For `--help`; wrong usage is mostly clap's.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  it cannot be done, or what was answered is not understood
  2  wrong usage, or not confirmed
  3  nobody answers, or only that they cannot now; for `doctor`: not well
  4  the e-mail address and password are not known, or not enough
  5  only a part of it is done; it can be run again";

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Wrong(_) => 1,
            Self::Usage(_) => 2,
            Self::Away(_) => 3,
            Self::Refused(_) => 4,
            Self::Partly(_) => 5,
        })
    }
}
