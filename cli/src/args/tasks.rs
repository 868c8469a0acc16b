//! The arguments of the other tasks.

use clap::{Args, ValueEnum};
use secrecy::SecretString;

use super::AccessArgs;
use super::values::pattern;

/// `warren seed`.
#[derive(Args, Debug)]
pub(crate) struct SeedArgs {
    /// How many owners.
    #[arg(long, default_value = "4", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) owners: u32,

    /// How many products.
    #[arg(long, default_value = "24", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(crate) products: u32,

    /// Which shop: each number gives another one.
    #[arg(long, default_value = "1")]
    pub(crate) seed: u64,

    #[command(flatten)]
    pub(crate) access: AccessArgs,
}

/// `warren replay`.
#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    /// Whose states.
    #[arg(value_enum, default_value_t)]
    pub(crate) what: What,

    #[command(flatten)]
    pub(crate) access: AccessArgs,
}

/// Whose states are sent again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Those of the owners.
    Owners,
    /// Those of the products.
    Products,
    /// Those of the orders.
    Orders,
    /// Those of the payments.
    Payments,
    /// All of them, in this order.
    #[default]
    All,
}

/// `warren demo`.
#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Leave the user where they are.
    #[arg(long)]
    pub(crate) keep: bool,

    /// Seconds to wait for all stores.
    #[arg(long, default_value = "60", value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub(crate) seconds: u32,

    #[command(flatten)]
    pub(crate) access: AccessArgs,
}

/// `warren reindex`.
#[derive(Args, Debug)]
pub(crate) struct ReindexArgs {
    /// What to index anew.
    #[arg(value_enum)]
    pub(crate) kind: Kind,

    #[command(flatten)]
    pub(crate) access: AccessArgs,
}

/// What is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Users.
    Users,
    /// Products.
    Products,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Products => "products",
        }
    }
}

/// `warren tail`.
#[derive(Args, Debug)]
pub(crate) struct TailArgs {
    /// Which events: a name such as `user.created`, or a pattern such as `user.*` or `*.deleted`. It can be given several times.
    #[arg(long = "event", value_name = "PATTERN", value_parser = pattern, default_value = "#")]
    pub(crate) events: Vec<String>,

    /// Only what has this as the id of its message, task or request, or anywhere in its body, such as the id of a user.
    #[arg(long, value_name = "ID")]
    pub(crate) about: Option<String>,

    /// End after so many.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// End after so many seconds.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: Option<u32>,

    /// RabbitMQ, with the vhost as the path.
    #[arg(
        long,
        env = "AMQP_URL",
        hide_env_values = true,
        default_value = "amqp://user:password@127.0.0.1:5672/my_vhost"
    )]
    pub(crate) amqp_url: SecretString,
}
