//! In what the servers differ.

use rustix::process::Signal;
use url::Url;

/// The user with all rights on a private server.
pub(super) const USER: &str = "warren";

/// The database, or RabbitMQ's vhost, on a private server.
pub(super) const DATABASE: &str = "warren";

const PASSWORD: &str = "warren";

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Postgres,
    Mysql,
    Mongodb,
    Redis,
    Rabbitmq,
    Search,
    Kafka,
    Influxdb,
}

impl Kind {
    /// As the script calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mariadb",
            Self::Mongodb => "mongo",
            Self::Redis => "redis",
            Self::Rabbitmq => "rabbitmq",
            Self::Search => "search",
            Self::Kafka => "kafka",
            Self::Influxdb => "influxdb",
        }
    }

    /// What clients connect to.
    pub(super) fn url(self, port: u16) -> Url {
        let (scheme, user, path) = match self {
            Self::Postgres => ("postgres", true, DATABASE),
            Self::Mysql => ("mysql", true, DATABASE),
            Self::Mongodb => ("mongodb", false, "warren?directConnection=true"),
            Self::Redis => ("redis", false, "0"),
            Self::Rabbitmq => ("amqp", true, DATABASE),
            Self::Search | Self::Influxdb => ("http", false, ""),
            Self::Kafka => ("kafka", false, ""),
        };
        let login = if user { format!("{USER}:{PASSWORD}@") } else { String::new() };
        Url::parse(&format!("{scheme}://{login}127.0.0.1:{port}/{path}")).expect("every part of it is plain")
    }

    /// Empty where the server asks for none.
    pub(super) fn password(self) -> &'static str {
        match self {
            Self::Mongodb | Self::Redis | Self::Search | Self::Kafka | Self::Influxdb => "",
            Self::Postgres | Self::Mysql | Self::Rabbitmq => PASSWORD,
        }
    }

    /// What makes it stop in good order: with SIGTERM, Postgres would wait for its clients to leave.
    pub(super) fn stop_signal(self) -> Signal {
        if self == Self::Postgres { Signal::INT } else { Signal::TERM }
    }

    /// What makes it end at once: a Postgres killed with SIGKILL leaves a piece of shared memory for ever.
    pub(super) fn abort_signal(self) -> Signal {
        if self == Self::Postgres { Signal::QUIT } else { Signal::KILL }
    }
}

/// The management of a private RabbitMQ.
pub(super) fn management(port: u16) -> Url {
    Url::parse(&format!("http://{USER}:{PASSWORD}@127.0.0.1:{port}")).expect("every part of it is plain")
}
