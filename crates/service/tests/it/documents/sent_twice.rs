//! An insert that the driver sends again, because the answer to the first one was lost on its way, to a server that does not know
//! it again: it has restarted, or the write went to another one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mongodb::Client;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// Each message of MongoDB's protocol begins with its length.
async fn message(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut message = from.read_u32_le().await?.to_le_bytes().to_vec();
    let length = u32::from_le_bytes([message[0], message[1], message[2], message[3]]) as usize;
    message.resize(length, 0);
    from.read_exact(&mut message[4..]).await?;
    Ok(message)
}

/// Sends each insert twice; of the answers to it, the first is `lost`.
async fn ask(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    lost: &AtomicUsize,
    inserts: &AtomicUsize,
) -> io::Result<()> {
    loop {
        let message = message(&mut from).await?;
        // Of a document in BSON: a field with a text.
        if message.windows(8).any(|part| part == b"\x02insert\0") {
            inserts.fetch_add(1, Ordering::SeqCst);
            lost.fetch_add(1, Ordering::SeqCst);
            to.write_all(&message).await?;
        }
        to.write_all(&message).await?;
    }
}

async fn answer(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    lost: &AtomicUsize,
) -> io::Result<()> {
    loop {
        let message = message(&mut from).await?;
        let is_lost = lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |lost| lost.checked_sub(1)).is_ok();
        if !is_lost {
            to.write_all(&message).await?;
        }
    }
}

/// Between the driver and this MongoDB. Tells its own URL, and counts the inserts.
async fn between(url: &str) -> (String, Arc<AtomicUsize>) {
    let mut url = url::Url::parse(url).expect("it is the URL of a server");
    let target = (url.host_str().expect("it has a host").to_owned(), url.port().unwrap_or(27017));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    url.set_host(Some("127.0.0.1")).expect("it may be another");
    // Without the number by which the server would tell a repetition.
    url.query_pairs_mut().append_pair("retryWrites", "false");
    url.set_port(Some(listener.local_addr().expect("it listens").port())).expect("it may be another");
    let inserts = Arc::new(AtomicUsize::new(0));
    let counted = inserts.clone();
    tokio::spawn(async move {
        while let Ok((driver, _)) = listener.accept().await {
            let (target, inserts) = (target.clone(), counted.clone());
            tokio::spawn(async move {
                let (driver, server) = (driver.into_split(), TcpStream::connect(target).await?.into_split());
                let lost = AtomicUsize::new(0);
                // Until either of them ends the connection.
                tokio::try_join!(ask(driver.0, server.1, &lost, &inserts), answer(server.0, driver.1, &lost))
            });
        }
    });
    (url.into(), inserts)
}

#[tokio::test]
async fn what_the_driver_has_inserted_twice_is_created_once_and_no_conflict() {
    let mongo = testkit::mongodb().await;
    let (url, inserts) = between(mongo.url()).await;
    let client = Client::with_uri_str(url).await.expect("it is a URL");
    let (shops, _relay) = open_in::<false>(&client.database(mongo.name())).await;

    let shop = Shop::new();
    let answer = shops.create(Change::to(shop.clone()), None, "created".to_owned()).await;
    assert_eq!(answer.expect("it is its own insert"), "created");
    assert_eq!(waiting(&stored(&shops, shop.id).await), [1]);
    // That of another, with the very same fields.
    let taken = shops.create(Change::to(shop.clone()), None, "created".to_owned()).await;
    assert_eq!(taken.expect_err("it is there").status(), 409);

    let (shop, key) = (Shop::new(), IdempotencyKey(Some("key".to_owned())));
    let claim = Claim::new(Uuid::now_v7(), &key, &"request", &shop.id).expect("plain data");
    let answer = shops.create(Change::to(shop.clone()), claim, shop.id).await;
    assert_eq!(answer.expect("it is its own insert"), shop.id);
    assert_eq!(inserts.load(Ordering::SeqCst), 3);
}
