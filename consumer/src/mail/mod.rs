//! Mail by SMTP: each one in limited time, over connections that are kept.

mod connections;
mod letter;
mod settings;
mod welcome;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use lettre::message::Mailbox;
use tokio::time::timeout;

use connections::{Connections, Stage};
pub use letter::Letter;
pub use settings::MailArgs;
pub use welcome::welcome;

/// How long one mail may take, connecting included.
pub const MAIL_LIMIT: Duration = Duration::from_secs(8);

/// How many mails are sent at the same time, each over a connection of its own.
pub const AT_ONCE: usize = 8;

/// Why a mail was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// The server, or the address itself, says that this never will be.
    Refused {
        /// Why, in words that do not repeat the address.
        reason: String,
        /// All that is known.
        detail: String,
    },
    /// The server takes it perhaps later, and others meanwhile.
    Later(String),
    /// The server cannot be used now.
    Unavailable(String),
}

/// Sends mails. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailer {
    from: Mailbox,
    connections: Arc<Connections>,
}

impl Mailer {
    /// What the settings say; none without a server.
    ///
    /// # Errors
    /// If the server's URL is none.
    pub fn new(args: &MailArgs) -> anyhow::Result<Option<Self>> {
        let Some(server) = args.server().context("SMTP_URL")? else { return Ok(None) };
        Ok(Some(Self { from: args.mail_from.clone(), connections: Arc::new(Connections::new(server)) }))
    }

    /// The `Message-ID` of the letter with this id.
    pub fn message_id(&self, letter: &str) -> String {
        Letter::message_id(letter, &self.from)
    }

    /// Sends a letter. When it is not known whether the server has taken it, it counts as not sent: sent again it has the
    /// same id, by which mail programs know it.
    ///
    /// # Errors
    /// If it was not sent.
    pub async fn send(&self, letter: &Letter<'_>) -> Result<(), NotSent> {
        let prepared = letter.prepare(&self.from)?;
        // A dialogue that is given up takes its connection with it.
        timeout(MAIL_LIMIT, self.connections.deliver(&prepared))
            .await
            .unwrap_or_else(|_| Err(unavailable(format!("no answer within {} s", MAIL_LIMIT.as_secs()))))
    }

    /// Whether the server answers.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ping(&self) -> anyhow::Result<()> {
        timeout(MAIL_LIMIT, self.connections.ping()).await.context("it does not answer")??;
        Ok(())
    }
}

fn unavailable(reason: impl std::fmt::Display) -> NotSent {
    NotSent::Unavailable(format!("the mail server: {reason}"))
}

/// What an error means for the mail: before the server heard of the address, it is not the mail's fault.
fn not_sent(error: &lettre::transport::smtp::Error, stage: Stage) -> NotSent {
    // 421: the server closes the connection, whatever it was about to say.
    let goes_away = error.status().is_some_and(|code| code.to_string() == "421");
    match (stage, error.status()) {
        (Stage::Envelope, _) | (_, None) => unavailable(error),
        _ if goes_away => unavailable(error),
        (Stage::Mail, Some(code)) if error.is_permanent() => {
            NotSent::Refused { reason: format!("the mail server refuses it ({code})"), detail: error.to_string() }
        }
        (Stage::Mail, Some(code)) => NotSent::Later(format!("the mail server does not take it now ({code})")),
    }
}
