//! What a consumer can be told to do: each role works off one queue.

use clap::ValueEnum;
use contracts::topology::{REPORTING, queue};

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
    /// Keeps the users' preferences in MongoDB.
    UserPreferences,
    /// Makes users searchable.
    UserSearch,
    /// Welcomes new users.
    WelcomeMessages,
    /// Makes products searchable.
    ProductSearch,
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
            Self::UserPreferences => queue::USER_PREFERENCES,
            Self::UserSearch => queue::USER_SEARCH,
            Self::WelcomeMessages => queue::WELCOME_MESSAGES,
            Self::ProductSearch => queue::PRODUCT_SEARCH,
            Self::HealthCheck => queue::HEALTH_CHECK,
            Self::InsertRecord => queue::INSERT_RECORD,
            Self::DeleteRecord => queue::DELETE_RECORD,
            Self::ReadDatabase => queue::READ_DATABASE,
        }
    }

    /// The store that it cannot do without; a search can be left out of use.
    pub fn store(self) -> Option<Store> {
        match self {
            Self::Tasks | Self::UserTasks | Self::UserPreferences | Self::WelcomeMessages => Some(Store::Mongodb),
            Self::UserSessions => Some(Store::Redis),
            Self::InsertRecord | Self::DeleteRecord | Self::ReadDatabase => Some(Store::Mysql),
            Self::UserSearch | Self::ProductSearch => Some(Store::Search),
            Self::HealthCheck => None,
        }
    }

    /// Whether tasks wait for what it does.
    pub fn reports(self) -> bool {
        REPORTING.contains(&self.queue())
    }

    /// Whether somebody waits for its answers.
    pub fn answers(self) -> bool {
        matches!(self, Self::HealthCheck | Self::ReadDatabase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_wait_for_the_roles_that_report() {
        for queue in REPORTING {
            let role = Role::value_variants().iter().find(|role| role.queue() == queue).expect("a role does each step");
            assert!(role.reports() && !role.answers(), "{queue}");
        }
    }

    #[test]
    fn a_role_is_called_as_its_queue() {
        for role in Role::value_variants() {
            let name = role.to_possible_value().map(|value| value.get_name().to_owned());
            assert_eq!(name.as_deref(), Some(role.queue()));
        }
    }
}
