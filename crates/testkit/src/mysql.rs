//! A MariaDB database of its own for each test.

use sqlx::mysql::MySqlPoolOptions;
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, MySqlPool};
use url::Url;

use crate::{address, cleanup, name};

/// Few, because all tests together share 400.
const MAX_CONNECTIONS: u32 = 8;

/// An empty database, dropped at the end of the test, whoever is still connected.
#[derive(Debug)]
pub struct TestMysql {
    server: Url,
    name: String,
    url: String,
    pool: MySqlPool,
}

/// Makes an empty MariaDB database.
///
/// # Panics
/// If the shared MariaDB is not reachable.
pub async fn mysql() -> TestMysql {
    let server = address::mysql();
    let name = name::unique();
    let mut admin = address::reached(&server, MySqlConnection::connect(server.as_str()).await);
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")))
        .execute(&mut admin)
        .await
        .expect("the test server's user may create databases");
    let _ = admin.close().await;

    let mut url = server.clone();
    url.set_path(&name);
    let pool = MySqlPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .connect(url.as_str())
        .await
        .expect("a database just created can be connected to");
    TestMysql { server, name, url: url.into(), pool }
}

impl TestMysql {
    /// The URL of the database, with user and password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A small pool of connections to the database.
    pub fn pool(&self) -> &MySqlPool {
        &self.pool
    }
}

impl Drop for TestMysql {
    fn drop(&mut self) {
        let server = self.server.clone();
        let name = self.name.clone();
        cleanup::run(async move {
            let mut admin = MySqlConnection::connect(server.as_str()).await?;
            // An open transaction would hold up the DROP, so its connection goes first.
            let connections: Vec<u64> =
                sqlx::query_scalar("SELECT CAST(id AS UNSIGNED) FROM information_schema.processlist WHERE db = ?")
                    .bind(&name)
                    .fetch_all(&mut admin)
                    .await?;
            for id in connections {
                // One that has just ended by itself is an error, and as good.
                let _ = sqlx::query(AssertSqlSafe(format!("KILL {id}"))).execute(&mut admin).await;
            }
            sqlx::query(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name}"))).execute(&mut admin).await?;
            Ok(admin.close().await?)
        });
    }
}
