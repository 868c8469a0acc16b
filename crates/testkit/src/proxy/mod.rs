//! A TCP proxy in front of any server, which can be cut off from it in two ways.

mod pump;

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use crate::port;

/// What happens to those who connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// All is passed on.
    Open,
    /// Connections are accepted, and nothing is passed on, not even their end.
    Silent,
    /// Nobody listens.
    Closed,
}

/// What the proxy's tasks share.
#[derive(Debug)]
struct Shared {
    /// `host:port` of the server.
    target: String,
    mode: watch::Sender<Mode>,
    /// Whether the port is listened on.
    listening: watch::Sender<bool>,
    connections: watch::Sender<usize>,
}

/// A proxy on 127.0.0.1 that lives as long as this value, in the test's own runtime.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    listener: JoinHandle<()>,
}

/// Puts a proxy in front of `target`, which is `host:port` or a URL that has both.
///
/// # Panics
/// If `target` is neither.
pub async fn proxy(target: &str) -> Proxy {
    let shared = Arc::new(Shared {
        target: host_and_port(target),
        mode: watch::Sender::new(Mode::Open),
        listening: watch::Sender::new(false),
        connections: watch::Sender::new(0),
    });
    let port = port::free_port();
    let listener = tokio::spawn(listen(port, shared.clone()));
    let proxy = Proxy { port, shared, listener };
    proxy.until_listening(true).await;
    proxy
}

impl Proxy {
    /// The proxy's port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `url` with the proxy's host and port in place of the server's.
    pub fn url_for(&self, url: &str) -> String {
        let mut url = Url::parse(url).unwrap_or_else(|error| panic!("not a URL to put a proxy into: {error}"));
        url.set_host(Some("127.0.0.1")).expect("the URL of a server has a host");
        url.set_port(Some(self.port)).expect("the URL of a server may have a port");
        url.into()
    }

    /// Closes all connections and refuses new ones, as if the server was not there.
    pub async fn cut(&self) {
        self.shared.mode.send_replace(Mode::Closed);
        self.until_listening(false).await;
        let mut connections = self.shared.connections.subscribe();
        connections.wait_for(|open| *open == 0).await.expect("the proxy holds the other end");
    }

    /// Passes nothing on from now, as if no packet came through: what is connected stays so, new connections are
    /// accepted, and nobody gets an answer.
    pub async fn blackhole(&self) {
        self.shared.mode.send_replace(Mode::Silent);
        self.until_listening(true).await;
    }

    /// Passes all on again; what was sent into the black hole by those who still wait arrives now.
    pub async fn restore(&self) {
        self.shared.mode.send_replace(Mode::Open);
        self.until_listening(true).await;
    }

    /// How many connections there are now.
    pub fn connections(&self) -> usize {
        *self.shared.connections.borrow()
    }

    async fn until_listening(&self, wanted: bool) {
        let mut listening = self.shared.listening.subscribe();
        listening.wait_for(|listening| *listening == wanted).await.expect("the proxy holds the other end");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
        self.shared.mode.send_replace(Mode::Closed);
    }
}

/// Listens while it is to, and closes the port while it is not.
async fn listen(port: u16, shared: Arc<Shared>) {
    let mut mode = shared.mode.subscribe();
    while mode.wait_for(|mode| *mode != Mode::Closed).await.is_ok() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("the port is the proxy's own");
        shared.listening.send_replace(true);
        tokio::select! {
            _ = mode.wait_for(|mode| *mode == Mode::Closed) => {}
            () = accept_all(&listener, &shared) => {}
        }
        drop(listener);
        shared.listening.send_replace(false);
    }
}

async fn accept_all(listener: &TcpListener, shared: &Arc<Shared>) {
    loop {
        // An error is about one connection that is gone already.
        if let Ok((client, _)) = listener.accept().await {
            shared.connections.send_modify(|open| *open += 1);
            tokio::spawn(carry(client, shared.clone()));
        }
    }
}

/// One connection, from its start to its end or the cut.
async fn carry(client: TcpStream, shared: Arc<Shared>) {
    let mut mode = shared.mode.subscribe();
    tokio::select! {
        _ = mode.wait_for(|mode| *mode == Mode::Closed) => {}
        // How it ended is for both ends to find out.
        _ = connect_and_pump(client, &shared) => {}
    }
    shared.connections.send_modify(|open| *open -= 1);
}

async fn connect_and_pump(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    pump::until_open(&mut shared.mode.subscribe()).await?;
    let mut server = TcpStream::connect(&shared.target).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::try_join!(
        pump::pump(from_client, to_server, shared.mode.subscribe()),
        pump::pump(from_server, to_client, shared.mode.subscribe()),
    )?;
    Ok(())
}

fn host_and_port(target: &str) -> String {
    if !target.contains("://") {
        return target.to_owned();
    }
    let url = Url::parse(target).unwrap_or_else(|error| panic!("not a URL to put a proxy in front of: {error}"));
    match (url.host_str(), url.port_or_known_default()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        _ => panic!("a proxy needs the host and the port of its target"),
    }
}
