//! A letter to one person, and the form in which it travels.

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::{Address, address::AddressError};
use url::Host;

use super::NotSent;

/// A letter to one person.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// Tells it from all others, and is the same whenever it is sent: the part of the `Message-ID` before the `@`.
    pub id: &'a str,
    /// The address it goes to.
    pub to: &'a str,
    /// Subject.
    pub subject: &'a str,
    /// Plain text.
    pub text: &'a str,
}

/// A letter as it travels.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) from: Address,
    pub(super) to: Address,
    pub(super) text: Vec<u8>,
}

impl Prepared {
    /// Whether an address has letters in it that not every server knows.
    pub(super) fn needs_utf8(&self) -> bool {
        [&self.from, &self.to].into_iter().any(|address| !AsRef::<str>::as_ref(address).is_ascii())
    }
}

impl Letter<'_> {
    /// The `Message-ID`, if it comes from there.
    pub(super) fn message_id(id: &str, from: &Mailbox) -> String {
        format!("<{id}@{}>", from.email.domain())
    }

    pub(super) fn prepare(&self, from: &Mailbox) -> Result<Prepared, NotSent> {
        let to = address(self.to).map_err(|error| refused("nothing can be mailed to this address", error))?;
        let message = Message::builder()
            .message_id(Some(Self::message_id(self.id, from)))
            .from(from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(self.subject)
            // Nobody's holiday notice is to answer it.
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(self.text.to_owned())
            .map_err(|error| refused("the mail cannot be written", error))?;
        Ok(Prepared { from: from.email.clone(), to, text: message.formatted() })
    }
}

fn refused(reason: &str, error: impl std::fmt::Display) -> NotSent {
    NotSent::Refused { reason: reason.to_owned(), detail: format!("{reason}: {error}") }
}

/// An address whose host is written as mail servers know it.
fn address(text: &str) -> Result<Address, AddressError> {
    let parsed: Address = text.trim().parse()?;
    if parsed.domain().is_ascii() {
        return Ok(parsed);
    }
    let host = Host::parse(parsed.domain()).map_err(|_| AddressError::InvalidDomain)?;
    Address::new(parsed.user(), host.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::welcome;
    use super::*;

    fn prepared(name: &str, to: &str) -> Result<(Prepared, String), NotSent> {
        let from: Mailbox = "Warren <welcome@warren.example>".parse().unwrap();
        let (subject, text) = welcome(name);
        let letter = Letter { id: "welcome.1", to, subject: &subject, text: &text };
        let prepared = letter.prepare(&from)?;
        let text = String::from_utf8(prepared.text.clone()).expect("what travels is ASCII");
        Ok((prepared, text))
    }

    #[test]
    fn no_name_adds_a_header_or_breaks_a_line() {
        let long = "x".repeat(10_000);
        let names =
            ["Eve\r\nBcc: all@example.org\r\n\r\nbuy", "Eve\nX: y", "\u{2028}Eve\u{0}\u{1b}[1m", "שלום 😀", &long, ""];
        for name in names {
            let (_, text) = prepared(name, "eve@example.org").unwrap();
            assert!(text.is_ascii() && text.lines().all(|line| line.len() <= 998), "{text}");
            let (head, _) = text.split_once("\r\n\r\n").unwrap();
            let headers: Vec<_> = head.lines().filter(|line| !line.starts_with([' ', '\t'])).collect();
            let names: Vec<_> = headers.iter().map(|line| line.split(':').next().unwrap()).collect();
            let expected = [
                "Message-ID",
                "From",
                "To",
                "Subject",
                "Auto-Submitted",
                "Content-Type",
                "Date",
                "Content-Transfer-Encoding",
            ];
            let (mut names, mut expected) = (names, expected.to_vec());
            names.sort_unstable();
            expected.retain(|name| names.contains(name));
            expected.sort_unstable();
            assert_eq!(names, expected, "{head}");
            assert!(head.contains("Message-ID: <welcome.1@warren.example>"), "{head}");
        }
    }

    #[test]
    fn an_address_is_written_as_servers_know_it_or_refused() {
        let to = |address| prepared("Eve", address).map(|(prepared, _)| prepared.to.to_string());
        assert_eq!(to("eve@example.org").as_deref(), Ok("eve@example.org"));
        assert_eq!(to("eve@exämple.org").as_deref(), Ok("eve@xn--exmple-cua.org"));
        assert!(prepared("Eve", "ève@example.org").unwrap().0.needs_utf8());
        for wrong in
            ["", "eve", "eve@", "@example.org", "eve@example.org>\r\nRCPT TO:<all@example.org", "a b@example.org"]
        {
            assert!(matches!(to(wrong), Err(NotSent::Refused { .. })), "{wrong}");
        }
    }
}
