//! A connection through the proxy: passed on, cut, or silent.

use std::time::Duration;

use testkit::{Proxy, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// A server that says back what it hears, and a proxy in front of it.
async fn echo_behind_proxy() -> Proxy {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let target = listener.local_addr().expect("it listens").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await
            });
        }
    });
    testkit::proxy(&target).await
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(("127.0.0.1", proxy.port())).await.expect("the proxy listens")
}

async fn echo(stream: &mut TcpStream, text: &[u8; 4]) -> [u8; 4] {
    stream.write_all(text).await.expect("the connection is open");
    let mut heard = [0; 4];
    stream.read_exact(&mut heard).await.expect("the echo comes");
    heard
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(Duration::from_millis(200), stream.read_u8()).await.is_err()
}

#[tokio::test]
async fn an_open_proxy_passes_on_both_ways_and_the_end() {
    let proxy = echo_behind_proxy().await;
    let mut stream = connect(&proxy).await;
    assert_eq!(&echo(&mut stream, b"ping").await, b"ping");
    assert_eq!(proxy.connections(), 1);
    stream.shutdown().await.expect("the connection is open");
    assert_eq!(stream.read(&mut [0]).await.expect("the end comes"), 0);
    eventually("no connection is left", || async { (proxy.connections() == 0).then_some(()) }).await;
}

#[tokio::test]
async fn a_cut_proxy_closes_and_refuses_until_it_is_restored() {
    let proxy = echo_behind_proxy().await;
    let mut stream = connect(&proxy).await;
    assert_eq!(&echo(&mut stream, b"ping").await, b"ping");
    proxy.cut().await;
    assert_eq!(proxy.connections(), 0);
    assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
    assert!(TcpStream::connect(("127.0.0.1", proxy.port())).await.is_err());
    proxy.restore().await;
    assert_eq!(&echo(&mut connect(&proxy).await, b"pong").await, b"pong");
}

#[tokio::test]
async fn a_black_hole_is_silent_and_lets_all_through_when_it_is_restored() {
    let proxy = echo_behind_proxy().await;
    let mut before = connect(&proxy).await;
    assert_eq!(&echo(&mut before, b"ping").await, b"ping");
    proxy.blackhole().await;
    let mut within = connect(&proxy).await;
    for stream in [&mut before, &mut within] {
        stream.write_all(b"late").await.expect("the proxy accepts");
        assert!(is_silent(stream).await);
    }
    proxy.restore().await;
    for stream in [&mut before, &mut within] {
        let mut heard = [0; 4];
        stream.read_exact(&mut heard).await.expect("what was sent arrives");
        assert_eq!(&heard, b"late");
    }
}

#[tokio::test]
async fn a_black_hole_can_be_cut_and_a_cut_can_become_a_black_hole() {
    let proxy = echo_behind_proxy().await;
    proxy.blackhole().await;
    let mut stream = connect(&proxy).await;
    proxy.cut().await;
    assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
    proxy.blackhole().await;
    assert!(is_silent(&mut connect(&proxy).await).await);
}

#[tokio::test]
async fn a_url_keeps_all_but_host_and_port() {
    let proxy = testkit::proxy("amqp://user:secret@127.0.0.1:5672/%2f").await;
    let port = proxy.port();
    assert_eq!(
        proxy.url_for("amqp://user:secret@rabbit:5672/%2f?heartbeat=5"),
        format!("amqp://user:secret@127.0.0.1:{port}/%2f?heartbeat=5"),
    );
    assert_eq!(proxy.url_for("http://localhost"), format!("http://127.0.0.1:{port}/"));
}

#[tokio::test]
async fn a_database_can_be_reached_through_a_proxy() {
    let postgres = testkit::postgres().await;
    let proxy = testkit::proxy(postgres.url()).await;
    let pool = sqlx::PgPool::connect(&proxy.url_for(postgres.url())).await.expect("the proxy is open");
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&pool).await.expect("the proxy is open");
    assert_eq!(one, 1);
    proxy.cut().await;
    sqlx::query("SELECT 1").execute(&pool).await.expect_err("the proxy is cut");
}
