//! Which server mails go to, and in whose name.

use anyhow::{Context, bail};
use clap::Args;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// How users are mailed.
#[derive(Args, Clone, Debug)]
pub struct MailArgs {
    /// Mail server that takes the welcome messages: `smtp://user:password@host:port`, with `?tls=required` or
    /// `?tls=opportunistic` for STARTTLS, or `smtps://`. Without one, they are only stored.
    #[arg(long, env = "SMTP_URL", hide_env_values = true)]
    pub smtp_url: Option<SecretString>,

    /// Whom the mails are from.
    #[arg(long, env = "MAIL_FROM", default_value = "Warren <welcome@warren.example>")]
    pub mail_from: Mailbox,
}

/// A mail server, and how to talk to it.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    pub(super) hello: ClientId,
    pub(super) credentials: Option<Credentials>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl MailArgs {
    pub(super) fn server(&self) -> anyhow::Result<Option<Server>> {
        let url = self.smtp_url.as_ref().map(|url| url.expose_secret().trim());
        // A variable that is set to nothing is as one that is not set.
        let Some(url) = url.filter(|url| !url.is_empty()) else { return Ok(None) };
        let hello = ClientId::Domain(self.mail_from.email.domain().to_owned());
        server(url, hello).map(Some)
    }
}

fn server(url: &str, hello: ClientId) -> anyhow::Result<Server> {
    // An error does not repeat the URL: it may have a password in it.
    let url = Url::parse(url).context("it is not like smtp://host:port")?;
    let host = url.host_str().context("it has no host")?.to_owned();
    let parameters = || TlsParameters::new(host.clone()).context("preparing TLS");
    let wanted = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
    let (default_port, tls) = match (url.scheme(), wanted.as_deref()) {
        ("smtp", None) => (25, Tls::None),
        ("smtp", Some("required")) => (587, Tls::Required(parameters()?)),
        ("smtp", Some("opportunistic")) => (587, Tls::Opportunistic(parameters()?)),
        ("smtps", None) => (465, Tls::Wrapper(parameters()?)),
        _ => bail!("it is neither smtp:// (perhaps with ?tls=required or ?tls=opportunistic) nor smtps://"),
    };
    let decoded = |part: &str| percent_decode_str(part).decode_utf8().map(|part| part.into_owned());
    let credentials = match url.password() {
        Some(password) => Some(Credentials::new(decoded(url.username())?, decoded(password)?)),
        None => None,
    };
    Ok(Server { host, port: url.port().unwrap_or(default_port), tls, hello, credentials })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_of(url: &str) -> anyhow::Result<Option<Server>> {
        let mail_from = "Warren <welcome@warren.example>".parse().unwrap();
        MailArgs { smtp_url: Some(SecretString::from(url)), mail_from }.server()
    }

    #[test]
    fn a_url_says_where_and_how_safely() {
        for (url, port, encrypted) in [
            ("smtp://mail", 25, false),
            ("smtp://127.0.0.1:1025", 1025, false),
            ("smtp://mail?tls=required", 587, true),
            ("smtp://mail:2525?tls=opportunistic", 2525, true),
            ("smtps://user:pass%40word@mail", 465, true),
        ] {
            let server = server_of(url).unwrap().unwrap();
            assert_eq!((server.port, !matches!(server.tls, Tls::None)), (port, encrypted), "{url}");
            assert_eq!(server.credentials.is_some(), url.contains('@'), "{url}");
        }
        assert!(server_of(" ").unwrap().is_none());
    }

    #[test]
    fn what_is_no_mail_server_is_refused_without_telling_its_password() {
        for wrong in ["mail:25", "http://mail", "smtp://", "smtp://u:secret@mail?tls=maybe", "smtp://u:secret@:x"] {
            let error = format!("{:#}", server_of(wrong).unwrap_err());
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
