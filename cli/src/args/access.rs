//! Where Warren is, and who asks.

use clap::Args;
use secrecy::SecretString;

use super::{BaseUrl, List, ServiceUrl};

/// Where Warren is.
#[derive(Args, Clone, Debug)]
pub(crate) struct PlaceArgs {
    /// The gateway.
    #[arg(long, env = "WARREN_URL", default_value = "http://127.0.0.1:3000")]
    pub(crate) url: BaseUrl,

    /// The gateway as people reach it, for the commands that are shown to them; without it, as above.
    #[arg(long, env = "WARREN_PUBLIC_URL")]
    public_url: Option<BaseUrl>,

    /// The registry, which knows where services are: its replicas, with commas between them.
    #[arg(long, env = "REGISTRY_URL", default_value = "http://127.0.0.1:8761")]
    pub(crate) registry_url: List<BaseUrl>,

    /// Where services are that the registry is not asked for: `owners=http://127.0.0.1:30000`, with commas between them.
    #[arg(long, env = "SERVICE_URLS", default_value = "")]
    pub(crate) service_urls: List<ServiceUrl>,
}

impl PlaceArgs {
    /// The gateway as people reach it.
    pub(crate) fn public_url(&self) -> &BaseUrl {
        self.public_url.as_ref().unwrap_or(&self.url)
    }
}

/// Where Warren is, and who asks.
#[derive(Args, Clone, Debug)]
pub(crate) struct AccessArgs {
    #[command(flatten)]
    pub(crate) places: PlaceArgs,

    /// Go to the services themselves, past the gateway and its limit of requests.
    #[arg(long)]
    pub(crate) direct: bool,

    /// E-mail address of the user; without one, that of the admin that `./dev up` and Compose make.
    #[arg(long, env = "ADMIN_EMAIL", default_value = "admin@example.org")]
    pub(crate) email: String,

    /// The user's password.
    #[arg(long, env = "ADMIN_PASSWORD", hide_env_values = true, default_value = EXAMPLE_PASSWORD)]
    pub(crate) password: SecretString,
}

/// That of the admin whom `./dev up` and Compose make.
pub(crate) const EXAMPLE_PASSWORD: &str = "warren-admin-password";
