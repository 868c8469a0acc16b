//! Real stores: connected to, asked for a sign of life, and limited in what one statement may take.

use std::time::Duration;

use bson::{Document, doc};
use messaging::Backoff;
use service::connect::{self, PoolSettings};

const ONCE: Backoff = Backoff { attempts: 1, base: Duration::from_millis(1), cap: Duration::from_millis(1) };

fn impatient() -> PoolSettings {
    PoolSettings { statement_timeout: Duration::from_millis(200), ..PoolSettings::connections(2) }
}

#[tokio::test]
async fn postgres_ends_a_statement_that_takes_too_long() {
    let database = testkit::postgres().await;
    let pool = connect::postgres("POSTGRES_URL", &database.url().into(), impatient(), &ONCE).await.unwrap();
    connect::ping_postgres(pool.clone()).await.unwrap();
    let error = sqlx::query("SELECT pg_sleep(60)").execute(&pool).await.unwrap_err();
    assert!(error.to_string().contains("statement timeout"), "{error}");
}

#[tokio::test]
async fn mysql_ends_a_statement_that_takes_too_long() {
    let database = testkit::mysql().await;
    let pool = connect::mysql("MYSQL_URL", &database.url().into(), impatient(), &ONCE).await.unwrap();
    connect::ping_mysql(pool.clone()).await.unwrap();
    let begun = std::time::Instant::now();
    // MariaDB fails a statement that is over its time; MySQL ends the sleep.
    let _ = sqlx::query("SELECT SLEEP(60)").execute(&pool).await;
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn mongodb_acknowledges_what_is_on_disk() {
    let database = testkit::mongodb().await;
    let client = connect::mongodb("MONGODB_URL", &database.url().into(), PoolSettings::default(), &ONCE).await.unwrap();
    connect::ping_mongodb(client.clone()).await.unwrap();
    let messages = client.database(database.name()).collection::<Document>("messages");
    messages.insert_one(doc! { "text": "kept" }).await.unwrap();
    assert_eq!(messages.count_documents(doc! {}).await.unwrap(), 1);
    let concern = client.write_concern().expect("it was set");
    assert_eq!(concern.journal, Some(true));
}

#[tokio::test]
async fn redis_answers() {
    let database = testkit::redis().await;
    let connection = connect::redis("REDIS_URL", &database.url().into(), impatient(), &ONCE).await.unwrap();
    connect::ping_redis(connection).await.unwrap();
}

#[tokio::test]
async fn a_store_that_is_not_there_is_named_without_its_password() {
    let pool = PoolSettings { acquire_timeout: Duration::from_millis(200), ..impatient() };
    let at = |scheme: &str| format!("{scheme}://me:hunter2@127.0.0.1:1/db").into();
    let errors = [
        connect::postgres("POSTGRES_URL", &at("postgres"), pool, &ONCE).await.unwrap_err(),
        connect::mysql("MYSQL_URL", &at("mysql"), pool, &ONCE).await.unwrap_err(),
        connect::mongodb("MONGODB_URL", &at("mongodb"), pool, &ONCE).await.unwrap_err(),
        connect::redis("REDIS_URL", &"redis://me:hunter2@127.0.0.1:1/0".into(), pool, &ONCE).await.err().unwrap(),
    ];
    for (error, variable) in errors.iter().zip(["POSTGRES_URL", "MYSQL_URL", "MONGODB_URL", "REDIS_URL"]) {
        let error = format!("{error:#}");
        assert!(error.contains(variable) && error.contains("refused"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
