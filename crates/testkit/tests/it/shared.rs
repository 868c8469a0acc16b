//! A database of its own for each test, which is gone afterwards.

use bson::{Document, doc};
use redis::cmd;
use sqlx::{AssertSqlSafe, Executor};
use testkit::{eventually, eventually_within};
use tokio::task::JoinSet;
use url::Url;

#[tokio::test]
async fn eight_postgres_databases_at_once_are_eight() {
    let mut tests = JoinSet::new();
    for number in 0..8_i32 {
        tests.spawn(async move {
            let postgres = testkit::postgres().await;
            postgres.pool().execute("CREATE TABLE t (n int)").await.expect("the database is empty");
            sqlx::query("INSERT INTO t VALUES ($1)").bind(number).execute(postgres.pool()).await.expect("t is there");
            let all: Vec<i32> =
                sqlx::query_scalar("SELECT n FROM t").fetch_all(postgres.pool()).await.expect("t is there");
            assert_eq!(all, [number]);
        });
    }
    tests.join_all().await;
}

#[tokio::test]
async fn eight_mysql_databases_at_once_are_eight() {
    let mut tests = JoinSet::new();
    for number in 0..8_i32 {
        tests.spawn(async move {
            let mysql = testkit::mysql().await;
            mysql.pool().execute("CREATE TABLE t (n int)").await.expect("the database is empty");
            sqlx::query("INSERT INTO t VALUES (?)").bind(number).execute(mysql.pool()).await.expect("t is there");
            let all: Vec<i32> =
                sqlx::query_scalar("SELECT n FROM t").fetch_all(mysql.pool()).await.expect("t is there");
            assert_eq!(all, [number]);
        });
    }
    tests.join_all().await;
}

#[tokio::test]
async fn eight_mongo_databases_at_once_are_eight() {
    let mut tests = JoinSet::new();
    for number in 0..8_i32 {
        tests.spawn(async move {
            let mongo = testkit::mongodb().await;
            let things = mongo.database().collection::<Document>("things");
            things.insert_one(doc! { "n": number }).await.expect("the test server accepts writes");
            assert_eq!(things.count_documents(doc! {}).await.expect("the test server answers"), 1);
        });
    }
    tests.join_all().await;
}

#[tokio::test]
async fn eight_redis_databases_at_once_are_eight() {
    let mut tests = JoinSet::new();
    for number in 0..8 {
        tests.spawn(async move {
            let redis = testkit::redis().await;
            let mut connection = redis.connection().await;
            let keys: u32 = cmd("DBSIZE").query_async(&mut connection).await.expect("Redis answers");
            assert_eq!(keys, 0);
            let () = cmd("SET").arg("n").arg(number).query_async(&mut connection).await.expect("Redis accepts writes");
            let found: i32 = cmd("GET").arg("n").query_async(&mut connection).await.expect("Redis answers");
            assert_eq!(found, number);
            redis.url().to_owned()
        });
    }
    let mut urls = tests.join_all().await;
    urls.sort();
    urls.dedup();
    assert_eq!(urls.len(), 8);
}

#[tokio::test]
async fn a_dropped_postgres_database_is_gone_even_if_somebody_is_in_a_transaction() {
    let other = testkit::postgres().await;
    let postgres = testkit::postgres().await;
    let name = Url::parse(postgres.url()).expect("it is a URL").path()[1..].to_owned();
    let transaction = postgres.pool().begin().await.expect("the database is there");
    drop(postgres);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname = $1")
        .bind(name)
        .fetch_one(other.pool())
        .await
        .expect("the catalogue can be read");
    assert_eq!(left, 0);
    drop(transaction);
}

#[tokio::test]
async fn a_dropped_mysql_database_is_gone_even_if_somebody_is_in_a_transaction() {
    let other = testkit::mysql().await;
    let mysql = testkit::mysql().await;
    let name = Url::parse(mysql.url()).expect("it is a URL").path()[1..].to_owned();
    mysql.pool().execute(AssertSqlSafe("CREATE TABLE t (n int)".to_owned())).await.expect("the database is empty");
    let mut transaction = mysql.pool().begin().await.expect("the database is there");
    transaction.execute("INSERT INTO t VALUES (1)").await.expect("t is there");
    drop(mysql);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM information_schema.schemata WHERE schema_name = ?")
        .bind(name)
        .fetch_one(other.pool())
        .await
        .expect("the catalogue can be read");
    assert_eq!(left, 0);
}

#[tokio::test]
async fn eventually_waits_until_it_is_true() {
    let mut looks = 0;
    let value = eventually("the third look", || {
        looks += 1;
        let found = (looks == 3).then_some("found");
        async move { found }
    })
    .await;
    assert_eq!(value, "found");
}

#[tokio::test]
#[should_panic(expected = "not within 100ms: pigs fly")]
async fn eventually_names_what_did_not_come_true() {
    let limit = std::time::Duration::from_millis(100);
    eventually_within(limit, "pigs fly", || async { None::<()> }).await;
}
