//! Connections to the mail server, and what is said over them.
//!
//! The commands are given here one by one, and not by the library's own pool: so it is known how far a dialogue came when it
//! failed, and one that was given up midway never has its connection used again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::DEFAULT_MECHANISMS;
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls};
use lettre::transport::smtp::commands::{Data, Mail, Noop, Rcpt};
use lettre::transport::smtp::extension::{Extension, MailParameter};
use tokio::time::Instant;

use super::letter::Prepared;
use super::settings::Server;
use super::{AT_ONCE, NotSent, not_sent, unavailable};

/// Connecting is the first that fails when a server is away.
const CONNECT_LIMIT: Duration = Duration::from_secs(4);

/// Servers close what is idle for minutes.
const IDLE: Duration = Duration::from_secs(30);

/// How far a dialogue has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The server knows us and the sender: nothing yet that is about this mail alone.
    Envelope,
    /// It knows the address, or the whole mail.
    Mail,
}

/// Connections to one server; those at rest are kept for the next mail.
#[derive(Debug)]
pub(super) struct Connections {
    server: Server,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: AsyncSmtpConnection,
    since: Instant,
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Idle").field("since", &self.since).finish_non_exhaustive()
    }
}

impl Connections {
    pub(super) fn new(server: Server) -> Self {
        Self { server, idle: Mutex::default() }
    }

    /// Whether the server answers.
    pub(super) async fn ping(&self) -> Result<(), Error> {
        let connection = self.take().await?;
        self.put_back(connection);
        Ok(())
    }

    /// Delivers a mail. Only over a connection that is there when all of it was answered as it should, another mail goes.
    pub(super) async fn deliver(&self, mail: &Prepared) -> Result<(), NotSent> {
        let envelope = |error: Error| not_sent(&error, Stage::Envelope);
        let about_it = |error: Error| not_sent(&error, Stage::Mail);
        let mut connection = self.take().await.map_err(envelope)?;
        let mut parameters = Vec::new();
        if mail.needs_utf8() {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                self.put_back(connection);
                let reason = "the mail server takes no such address (it does not know SMTPUTF8)".to_owned();
                return Err(NotSent::Refused { detail: reason.clone(), reason });
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        connection.command(Mail::new(Some(mail.from.clone()), parameters)).await.map_err(envelope)?;
        connection.command(Rcpt::new(mail.to.clone(), Vec::new())).await.map_err(about_it)?;
        connection.command(Data).await.map_err(about_it)?;
        let answer = connection.message(&mail.text).await.map_err(about_it)?;
        if !answer.has_code(250) {
            return Err(unavailable(format!("it answered {} to a whole mail", answer.code())));
        }
        self.put_back(connection);
        Ok(())
    }

    /// A connection that works: one at rest, or a new one.
    async fn take(&self) -> Result<AsyncSmtpConnection, Error> {
        while let Some(mut connection) = self.rested() {
            if connection.command(Noop).await.is_ok() {
                return Ok(connection);
            }
        }
        self.connect().await
    }

    fn rested(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| idle.since.elapsed() < IDLE);
        idle.pop().map(|idle| idle.connection)
    }

    fn put_back(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < AT_ONCE {
            idle.push(Idle { connection, since: Instant::now() });
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let Server { host, port, tls, hello, credentials } = &self.server;
        let wrapper = if let Tls::Wrapper(parameters) = tls { Some(parameters.clone()) } else { None };
        let address = (host.as_str(), *port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(address, Some(CONNECT_LIMIT), hello, wrapper, None).await?;
        match tls {
            Tls::Required(parameters) => connection.starttls(parameters.clone(), hello).await?,
            Tls::Opportunistic(parameters) if connection.can_starttls() => {
                connection.starttls(parameters.clone(), hello).await?;
            }
            _ => {}
        }
        if let Some(credentials) = credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}
