//! The roles of a program that may be split: some processes answer requests, and others handle events.

use clap::{Args, ValueEnum};

/// What a process does; everything if nothing is named.
#[derive(Args, Clone, Debug, Default)]
pub struct RoleArgs {
    /// What to do; everything if nothing is named.
    #[arg(value_enum, value_name = "ROLE")]
    pub roles: Vec<Role>,
}

/// A part of the work that a process can do by itself. Each sends the events that it has written itself, and what others left
/// behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Answers requests, by HTTP and gRPC.
    Api,
    /// Handles events, and takes up what others left behind; serves only its health.
    Worker,
}

impl RoleArgs {
    /// Whether the process plays this role.
    pub fn plays(&self, role: Role) -> bool {
        self.roles.is_empty() || self.roles.contains(&role)
    }

    /// The service that others find in the registry: nobody is to send requests to a process that only works.
    pub fn service(&self, api: &'static str, worker: &'static str) -> &'static str {
        if self.plays(Role::Api) { api } else { worker }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Config {
        #[command(flatten)]
        roles: RoleArgs,
    }

    #[test]
    fn no_role_means_all() {
        let plays = |roles: &[&str]| {
            let roles = Config::parse_from([&["program"], roles].concat()).roles;
            (roles.plays(Role::Api), roles.plays(Role::Worker), roles.service("api", "worker"))
        };
        for all in [&[][..], &["api", "worker"], &["worker", "api"]] {
            assert_eq!(plays(all), (true, true, "api"), "{all:?}");
        }
        assert_eq!((plays(&["api"]), plays(&["worker"])), ((true, false, "api"), (false, true, "worker")));
        assert!(Config::try_parse_from(["program", "idler"]).is_err());
    }
}
