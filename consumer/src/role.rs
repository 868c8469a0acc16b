//! What a consumer can be told to do: each role works off one queue.

use clap::ValueEnum;
use contracts::topology::queue;

use crate::stores::Store;

/// A role, named as its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Role {
    /// Stores texts in MongoDB.
    Tasks,
    /// Keeps the users in MongoDB.
    UserTasks,
    /// Keeps sessions and cached profiles in Redis.
    UserSessions,
    /// Answers health checks.
    HealthCheck,
    /// Inserts records into MariaDB/MySQL.
    InsertRecord,
    /// Deletes records in MariaDB/MySQL.
    DeleteRecord,
    /// Answers requests for records from MariaDB/MySQL.
    ReadDatabase,
}

impl Role {
    /// The queue that it works off.
    pub fn queue(self) -> &'static str {
        match self {
            Self::Tasks => queue::TASKS,
            Self::UserTasks => queue::USER_TASKS,
            Self::UserSessions => queue::USER_SESSIONS,
            Self::HealthCheck => queue::HEALTH_CHECK,
            Self::InsertRecord => queue::INSERT_RECORD,
            Self::DeleteRecord => queue::DELETE_RECORD,
            Self::ReadDatabase => queue::READ_DATABASE,
        }
    }

    /// The store that it cannot do without.
    pub fn store(self) -> Option<Store> {
        match self {
            Self::Tasks | Self::UserTasks => Some(Store::Mongodb),
            Self::UserSessions => Some(Store::Redis),
            Self::InsertRecord | Self::DeleteRecord | Self::ReadDatabase => Some(Store::Mysql),
            Self::HealthCheck => None,
        }
    }

    /// Whether somebody waits for its answers.
    pub fn answers(self) -> bool {
        matches!(self, Self::HealthCheck | Self::ReadDatabase)
    }
}

#[cfg(test)]
mod tests {
    use contracts::topology::REPORTING;

    use super::*;

    #[test]
    fn tasks_wait_for_the_roles_that_report() {
        let reporting = Role::value_variants().iter().filter(|role| !role.answers()).map(|role| role.queue());
        let mut reporting: Vec<_> = reporting.collect();
        let mut awaited = REPORTING.to_vec();
        reporting.sort_unstable();
        awaited.sort_unstable();
        assert_eq!(reporting, awaited);
    }

    #[test]
    fn a_role_is_called_as_its_queue() {
        for role in Role::value_variants() {
            let name = role.to_possible_value().map(|value| value.get_name().to_owned());
            assert_eq!(name.as_deref(), Some(role.queue()));
        }
    }
}
