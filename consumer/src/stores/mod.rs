//! The stores that messages take effect in: what they hold, and what their errors mean for a message.

pub mod audit;
mod connect;
mod json;
pub mod messages;
pub mod mongodb;
pub mod mysql;
pub mod preferences;
pub mod profiles;
pub mod records;
pub mod redis;
pub mod users;
pub mod versioned;
pub mod welcome;

use std::fmt;
use std::time::Duration;

use messaging::Failure;

pub use connect::{NotUsed, Stores};

/// How long a store may take for one operation. A batch at hand when the program is told to stop ends within it.
pub const OPERATION_LIMIT: Duration = Duration::from_secs(8);

/// A store that roles and routes need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Store {
    /// Student records.
    Mysql,
    /// Users and messages.
    Mongodb,
    /// Sessions and profiles.
    Redis,
    /// What is found by what somebody types.
    Search,
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mysql => "MariaDB/MySQL",
            Self::Mongodb => "MongoDB",
            Self::Redis => "Redis",
            Self::Search => "Elasticsearch/OpenSearch",
        })
    }
}

impl Store {
    /// The failure of a message whose store cannot be used now.
    pub(crate) fn unavailable(self, reason: impl fmt::Display) -> Failure {
        Failure::unavailable(format!("{self}: {reason}"))
    }

    /// The failure of a message that its store will never take.
    pub(crate) fn reject(self, reason: impl fmt::Display) -> Failure {
        Failure::reject(format!("{self}: {reason}"))
    }

    /// The failure of a message that may do better later.
    pub(crate) fn retry(self, reason: impl fmt::Display) -> Failure {
        Failure::retry(format!("{self}: {reason}"))
    }
}

/// The answer to a message published by hand, without a version, about something that the producer has changed. It
/// changes nothing, and whoever looks for it finds it among the dead letters, with the reason.
pub(crate) fn unversioned_is_beaten() -> Failure {
    Failure::reject("the message has no version, and what the producer accepted has one")
}

/// A text that no store is to choke on: the failure names the field.
pub(crate) fn check_length(field: &str, text: &str, max_chars: usize) -> Result<(), Failure> {
    // No character is longer than four bytes, so most texts need not be counted.
    if text.len() > max_chars && text.chars().count() > max_chars {
        return Err(Failure::reject(format!("`{field}` is longer than {max_chars} characters")));
    }
    Ok(())
}
