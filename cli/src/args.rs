//! The arguments, which are the manual.

use std::fmt;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use secrecy::SecretString;
use url::Url;

use crate::failure::EXIT_CODES;

/// Warren from the command line: fill a shop, have states told again.
///
/// Variables can also stand in a file `.env`.
#[derive(Debug, Parser)]
#[command(name = "warren", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Print what was done as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) task: Task,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Fill a shop with owners and products that look real.
    ///
    /// All of it is made through the public API. The same arguments give the same shop: run again within 24 hours they make
    /// nothing twice, and finish what was not.
    Seed(SeedArgs),

    /// Have services send the present state of all they have again.
    ///
    /// For a broker that was wiped, or a cache that was emptied. It changes nothing: receivers know by the versions what is new
    /// to them. It needs an admin.
    Replay(ReplayArgs),

    /// Print what makes a shell complete this command's arguments.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
}

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

/// Where Warren is, and who asks.
#[derive(Args, Clone, Debug)]
pub(crate) struct AccessArgs {
    /// The gateway.
    #[arg(long, env = "WARREN_URL", default_value = "http://127.0.0.1:3000")]
    pub(crate) url: BaseUrl,

    /// Go to the services themselves, past the gateway and its limit of requests.
    #[arg(long)]
    pub(crate) direct: bool,

    /// The registry, which knows where services are: its replicas, with commas between them.
    #[arg(long, env = "REGISTRY_URL", default_value = "http://127.0.0.1:8761")]
    pub(crate) registry_url: List<BaseUrl>,

    /// Where services are that the registry is not asked for: `owners=http://127.0.0.1:30000`, with commas between them.
    #[arg(long, env = "SERVICE_URLS", default_value = "")]
    pub(crate) service_urls: List<ServiceUrl>,

    /// E-mail address of the user; without one, that of the admin that `./dev up` and Compose make.
    #[arg(long, env = "ADMIN_EMAIL", default_value = "admin@example.org")]
    pub(crate) email: String,

    /// The user's password.
    #[arg(long, env = "ADMIN_PASSWORD", hide_env_values = true, default_value = EXAMPLE_PASSWORD)]
    pub(crate) password: SecretString,
}

/// That of the admin whom `./dev up` and Compose make.
pub(crate) const EXAMPLE_PASSWORD: &str = "warren-admin-password";

/// `http://host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BaseUrl(String);

impl BaseUrl {
    /// One that was looked up.
    pub(crate) fn of(host: &str, port: u16) -> Self {
        // An IPv6 address needs its brackets in a URL.
        if host.contains(':') { Self(format!("http://[{host}]:{port}")) } else { Self(format!("http://{host}:{port}")) }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a URL like http://127.0.0.1:3000");
        let url = Url::parse(text.trim()).map_err(|_| wrong())?;
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let open = url.username().is_empty() && url.password().is_none();
        if url.scheme() == "http" && url.has_host() && bare && open {
            Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
        } else {
            Err(wrong())
        }
    }
}

/// A service and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceUrl {
    pub(crate) service: String,
    pub(crate) url: BaseUrl,
}

impl FromStr for ServiceUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not like owners=http://127.0.0.1:30000");
        let (service, url) =
            text.split_once('=').filter(|(service, _)| !service.trim().is_empty()).ok_or_else(wrong)?;
        Ok(Self { service: service.trim().to_owned(), url: url.parse()? })
    }
}

/// Any number of them, with commas between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T: FromStr<Err = String>> FromStr for List<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_that_of_a_server_and_no_more() {
        for right in ["http://127.0.0.1:3000", "http://shop.example/", "http://[::1]:3000"] {
            assert_eq!(right.parse::<BaseUrl>().unwrap().to_string(), right.trim_end_matches('/'));
        }
        for wrong in ["", "shop:3000", "https://shop", "http://shop/api", "http://me:secret@shop", "http://shop?a=b"] {
            assert!(wrong.parse::<BaseUrl>().is_err(), "{wrong}");
        }
        assert_eq!(BaseUrl::of("::1", 80).to_string().parse::<BaseUrl>().unwrap().to_string(), "http://[::1]");
        assert_eq!("".parse(), Ok(List::<ServiceUrl>(Vec::new())));
        assert_eq!("a=http://a:1, a=http://b:2,".parse::<List<ServiceUrl>>().unwrap().0.len(), 2);
        assert!("owners=http://a:1".parse::<ServiceUrl>().is_ok() && "=http://a:1".parse::<ServiceUrl>().is_err());
    }

    #[test]
    fn the_arguments_fit_together() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
