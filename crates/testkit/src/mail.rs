//! A domain of its own for each test, to which mails can be sent.

use std::path::PathBuf;
use std::{fs, io};

use serde::Deserialize;
use tokio::net::TcpStream;
use url::Url;

use crate::{address, name, scratch};

/// A domain whose mails are kept, and removed at the end of the test.
///
/// The test server refuses the recipient `refused` of any domain for good, and `busy` for now.
#[derive(Debug)]
pub struct TestMail {
    server: Url,
    folder: PathBuf,
    domain: String,
}

/// A mail as it arrived at one recipient, decoded.
#[derive(Clone, Debug, Deserialize)]
pub struct Mail {
    /// The sender of the envelope.
    pub from: String,
    /// The recipient of the envelope.
    pub to: String,
    /// The headers with their values, in the order they came in.
    pub headers: Vec<(String, String)>,
    /// The plain text, else the HTML.
    pub text: String,
    /// All that came over the wire.
    pub raw: String,
}

/// Names a domain that has got no mail.
///
/// # Panics
/// If the shared mail server is not reachable.
pub async fn mail() -> TestMail {
    let server = address::mail();
    let place = (server.host_str().expect("TEST_MAIL_URL has a host").to_owned(), server.port().unwrap_or(25));
    address::reached(&server, TcpStream::connect(place).await);
    let domain = format!("{}.example", name::unique().replace('_', "-"));
    TestMail { folder: address::mail_folder().join(&domain), server, domain }
}

impl TestMail {
    /// Where it is: `smtp://host:port`.
    pub fn url(&self) -> &str {
        self.server.as_str()
    }

    /// The domain that the test sends mails to.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// An address in that domain.
    pub fn address(&self, name: &str) -> String {
        format!("{name}@{}", self.domain)
    }

    /// The mails that came, in the order of their arrival.
    ///
    /// # Panics
    /// If they cannot be read.
    pub async fn received(&self) -> Vec<Mail> {
        let mut files: Vec<PathBuf> = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
            entries => entries.expect("the mails can be read").flatten().map(|entry| entry.path()).collect(),
        };
        // One that is still written ends in another way.
        files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        files.sort();
        let read = |path: &PathBuf| {
            let text = fs::read_to_string(path).expect("a mail that came stays");
            serde_json::from_str(&text).expect("the test server writes JSON")
        };
        files.iter().map(read).collect()
    }
}

impl Mail {
    /// The decoded value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl Drop for TestMail {
    fn drop(&mut self) {
        scratch::remove(&self.folder);
    }
}
