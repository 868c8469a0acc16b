//! Where a service's aggregates are, and where their messages go.

use clap::Args;
use secrecy::SecretString;

/// Where a service's aggregates are, and where their messages go.
#[derive(Args, Clone, Debug)]
pub struct StoreArgs {
    /// MongoDB.
    #[arg(
        long,
        env = "MONGODB_URL",
        hide_env_values = true,
        default_value = "mongodb://127.0.0.1:27017/?directConnection=true"
    )]
    pub mongodb_url: SecretString,

    /// RabbitMQ, with the vhost as path.
    #[arg(
        long,
        env = "AMQP_URL",
        hide_env_values = true,
        default_value = "amqp://user:password@127.0.0.1:5672/my_vhost"
    )]
    pub amqp_url: SecretString,
}
