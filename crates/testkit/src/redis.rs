//! A numbered Redis database of its own for each test.
//!
//! Numbers are handed out by Redis itself, through leases in database 0: so they are right for tests of several
//! processes. The test servers have 1,024 databases; a test that died leaves its number taken for [`LEASE_SECS`].
//!
//! Pub/sub channels and scripts belong to the whole server, and `FLUSHALL` empties it: tests must not use that.

use ::redis::aio::MultiplexedConnection;
use ::redis::{Client, ExistenceCheck, RedisResult, SetExpiry, SetOptions, cmd};
use url::Url;

use crate::{address, cleanup};

/// Longer than any test, shorter than the life of a set of test servers.
const LEASE_SECS: u64 = 1800;

/// An empty database, emptied again and handed back at the end of the test.
#[derive(Debug)]
pub struct TestRedis {
    server: Url,
    number: u32,
    url: String,
}

/// Takes an unused Redis database and empties it.
///
/// # Panics
/// If the shared Redis is not reachable, or every database is taken.
pub async fn redis() -> TestRedis {
    let server = address::redis();
    let mut leases = address::reached(&server, connect(server.as_str()).await);
    let number = lease(&mut leases).await.expect("Redis answers plain commands");
    let mut url = server.clone();
    url.set_path(&number.to_string());
    let test = TestRedis { server, number, url: url.into() };
    let mut connection = test.connection().await;
    let _: () = cmd("FLUSHDB").query_async(&mut connection).await.expect("a leased database can be emptied");
    test
}

impl TestRedis {
    /// The URL, with the number of the database.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A new connection to the database.
    pub async fn connection(&self) -> MultiplexedConnection {
        address::reached(&self.server, connect(&self.url).await)
    }
}

impl Drop for TestRedis {
    fn drop(&mut self) {
        let (server, url, number) = (self.server.clone(), self.url.clone(), self.number);
        cleanup::run(async move {
            let _: () = cmd("FLUSHDB").query_async(&mut connect(&url).await?).await?;
            let _: () = cmd("DEL").arg(lease_of(number)).query_async(&mut connect(server.as_str()).await?).await?;
            Ok(())
        });
    }
}

async fn connect(url: &str) -> RedisResult<MultiplexedConnection> {
    Client::open(url)?.get_multiplexed_async_connection().await
}

/// The first free number after the one handed out last, so that one just given back rests for a while.
async fn lease(connection: &mut MultiplexedConnection) -> RedisResult<u32> {
    let (_, databases): (String, u32) = cmd("CONFIG").arg("GET").arg("databases").query_async(connection).await?;
    let once = SetOptions::default().conditional_set(ExistenceCheck::NX).with_expiration(SetExpiry::EX(LEASE_SECS));
    for _ in 1..databases {
        let next: u32 = cmd("INCR").arg("testkit:next").query_async(connection).await?;
        let number = 1 + next % (databases - 1);
        let taken: Option<String> =
            cmd("SET").arg(lease_of(number)).arg(std::process::id()).arg(&once).query_async(connection).await?;
        if taken.is_some() {
            return Ok(number);
        }
    }
    panic!("all {databases} databases of the test server's Redis are taken: ./dev test-servers down, then up")
}

fn lease_of(number: u32) -> String {
    format!("testkit:database:{number}")
}
