//! Servers that are killed: what they acknowledged is there afterwards.

use bson::{Document, doc};
use redis::cmd;
use sqlx::{Connection, Executor, MySqlConnection, PgConnection};
use testkit::PrivateServer;
use tokio::net::TcpStream;
use url::Url;

#[tokio::test]
async fn postgres_killed_keeps_what_it_acknowledged() {
    let server = testkit::private_postgres().await;
    let mut connection = PgConnection::connect(server.url()).await.expect("it answers");
    connection.execute("CREATE TABLE t (n int)").await.expect("it accepts writes");
    connection.execute("INSERT INTO t VALUES (7)").await.expect("it accepts writes");
    server.kill9().await;
    connection.execute("SELECT 1").await.expect_err("it is killed");
    server.start().await;
    let mut connection = PgConnection::connect(server.url()).await.expect("it answers again");
    let n: i32 = sqlx::query_scalar("SELECT n FROM t").fetch_one(&mut connection).await.expect("the row is kept");
    assert_eq!(n, 7);
}

#[tokio::test]
async fn postgres_stops_though_somebody_is_connected() {
    let server = testkit::private_postgres().await;
    let connection = PgConnection::connect(server.url()).await.expect("it answers");
    let pid = server.pid();
    server.restart().await;
    assert_ne!(server.pid(), pid);
    drop(connection);
}

#[tokio::test]
async fn mysql_killed_keeps_what_it_acknowledged() {
    let server = testkit::private_mysql().await;
    let mut connection = MySqlConnection::connect(server.url()).await.expect("it answers");
    connection.execute("CREATE TABLE t (n int)").await.expect("it accepts writes");
    connection.execute("INSERT INTO t VALUES (7)").await.expect("it accepts writes");
    server.kill9().await;
    connection.execute("SELECT 1").await.expect_err("it is killed");
    server.start().await;
    let mut connection = MySqlConnection::connect(server.url()).await.expect("it answers again");
    let n: i32 = sqlx::query_scalar("SELECT n FROM t").fetch_one(&mut connection).await.expect("the row is kept");
    assert_eq!(n, 7);
}

#[tokio::test]
async fn mongodb_killed_keeps_what_it_acknowledged() {
    let server = testkit::private_mongodb().await;
    let client = mongodb::Client::with_uri_str(server.url()).await.expect("it is a URL of MongoDB");
    let things = client.default_database().expect("the URL names it").collection::<Document>("things");
    things.insert_one(doc! { "n": 7 }).await.expect("it accepts writes");
    server.kill9().await;
    server.start().await;
    let found = things.find_one(doc! {}).await.expect("it answers again").expect("the document is kept");
    assert_eq!(found.get_i32("n").expect("n was stored"), 7);
}

#[tokio::test]
async fn redis_killed_keeps_what_it_acknowledged_until_it_is_wiped() {
    let server = testkit::private_redis().await;
    let () = cmd("SET").arg("n").arg(7).query_async(&mut redis_of(&server).await).await.expect("it accepts writes");
    server.kill9().await;
    server.start().await;
    let n: Option<i32> = cmd("GET").arg("n").query_async(&mut redis_of(&server).await).await.expect("it answers again");
    assert_eq!(n, Some(7));
    server.stop().await;
    server.wipe();
    server.start().await;
    let n: Option<i32> = cmd("GET").arg("n").query_async(&mut redis_of(&server).await).await.expect("it answers again");
    assert_eq!(n, None);
}

#[tokio::test]
async fn a_paused_postgres_is_silent_until_it_is_resumed_and_can_be_killed() {
    let server = testkit::private_postgres().await;
    let mut connection = PgConnection::connect(server.url()).await.expect("it answers");
    server.pause();
    let limit = std::time::Duration::from_millis(300);
    let mut answer = Box::pin(connection.ping());
    tokio::time::timeout(limit, &mut answer).await.expect_err("nothing answers while it is paused");
    server.resume();
    answer.await.expect("it goes on where it was");
    server.pause();
    server.kill9().await;
    server.start().await;
}

#[tokio::test]
async fn a_dropped_server_is_gone() {
    let server = testkit::private_redis().await;
    let address = Url::parse(server.url()).expect("it is a URL").socket_addrs(|| None).expect("it has a port");
    TcpStream::connect(&*address).await.expect("it listens");
    drop(server);
    TcpStream::connect(&*address).await.expect_err("it is killed");
}

#[tokio::test]
#[should_panic(expected = "redis runs already")]
async fn a_server_that_runs_is_not_started_again() {
    testkit::private_redis().await.start().await;
}

async fn redis_of(server: &PrivateServer) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(server.url()).expect("it is a URL of Redis");
    client.get_multiplexed_async_connection().await.expect("it answers")
}
