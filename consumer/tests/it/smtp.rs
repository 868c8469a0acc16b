//! A mail server in the test's own process, that answers as the test wants.

use std::collections::HashMap;
use std::io::Result;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// A mail that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) text: String,
}

impl Mail {
    /// Lines of the head, those that go on put together.
    pub(crate) fn headers(&self) -> Vec<String> {
        let mut headers: Vec<String> = Vec::new();
        for line in self.text.lines().take_while(|line| !line.is_empty()) {
            match headers.last_mut() {
                Some(last) if line.starts_with([' ', '\t']) => last.push_str(line),
                _ => headers.push(line.to_owned()),
            }
        }
        headers
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let value = |line: &String| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned);
        self.headers().iter().find_map(value)
    }
}

/// Takes mails. What is sent to `refused…@` it never takes, to `later…@` at the second try. Gone when it is dropped.
pub(crate) struct MailServer {
    address: SocketAddr,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

struct State {
    taken: Mutex<Vec<Mail>>,
    recipients: Mutex<HashMap<String, usize>>,
    connections: AtomicUsize,
    held: watch::Sender<bool>,
    refuses_sender: watch::Sender<bool>,
}

impl MailServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("it listens");
        let state = Arc::new(State {
            taken: Mutex::default(),
            recipients: Mutex::default(),
            connections: AtomicUsize::new(0),
            held: watch::Sender::new(false),
            refuses_sender: watch::Sender::new(false),
        });
        let shared = state.clone();
        let serving = tokio::spawn(async move {
            // Dropped with the task, and all dialogues with it.
            let mut dialogues = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let state = shared.clone();
                dialogues.spawn(async move { dialogue(stream, &state).await });
            }
        });
        Self { address, state, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// The mails that it took, whether or not the sender heard of it.
    pub(crate) fn taken(&self) -> Vec<Mail> {
        self.state.taken.lock().expect("nothing panics while it holds this lock").clone()
    }

    /// How often somebody was named as a recipient.
    pub(crate) fn tries(&self, address: &str) -> usize {
        let recipients = self.state.recipients.lock().expect("nothing panics while it holds this lock");
        recipients.get(address).copied().unwrap_or_default()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Takes mails without saying so, until `false`.
    pub(crate) fn hold(&self, held: bool) {
        self.state.held.send_replace(held);
    }

    /// Knows no sender, until `false`.
    pub(crate) fn refuse_sender(&self, refuses: bool) {
        self.state.refuses_sender.send_replace(refuses);
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn dialogue(stream: TcpStream, state: &State) -> Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut to = String::new();
    write.write_all(b"220 test\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let answer = match line.get(..4).unwrap_or_default() {
            "MAIL" if *state.refuses_sender.borrow() => "550 5.1.8 who is that",
            "RCPT" => {
                to = line.trim_start_matches("RCPT TO:<").trim_end_matches('>').to_owned();
                state.recipient(&to)
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let mut text = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    text.push_str(line.strip_prefix('.').unwrap_or(&line));
                    text.push_str("\r\n");
                }
                let mail = Mail { to: to.clone(), text };
                state.taken.lock().expect("nothing panics while it holds this lock").push(mail);
                let _ = state.held.subscribe().wait_for(|held| !held).await;
                "250 2.0.0 taken"
            }
            "QUIT" => return Ok(()),
            _ => "250 ok",
        };
        write.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}

impl State {
    fn recipient(&self, to: &str) -> &'static str {
        let mut recipients = self.recipients.lock().expect("nothing panics while it holds this lock");
        let tries = recipients.entry(to.to_owned()).or_default();
        *tries += 1;
        match to {
            _ if to.starts_with("refused") => "550 5.1.1 nobody of this name",
            _ if to.starts_with("later") && *tries == 1 => "450 4.2.0 come again",
            _ => "250 ok",
        }
    }
}
