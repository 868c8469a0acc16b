//! A Postgres database of its own for each test.

use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use url::Url;

use crate::{address, cleanup, name};

/// Few, because all tests together share 400.
const MAX_CONNECTIONS: u32 = 8;

/// An empty database, dropped at the end of the test, whoever is still connected.
#[derive(Debug)]
pub struct TestPostgres {
    server: Url,
    name: String,
    url: String,
    pool: PgPool,
}

/// Makes an empty Postgres database.
///
/// # Panics
/// If the shared Postgres is not reachable.
pub async fn postgres() -> TestPostgres {
    let server = address::postgres();
    let name = name::unique();
    let mut admin = address::reached(&server, PgConnection::connect(server.as_str()).await);
    // template0 admits no connections, so creating is never refused because somebody is connected to the template.
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE template0")))
        .execute(&mut admin)
        .await
        .expect("the test server's user may create databases");
    let _ = admin.close().await;

    let mut url = server.clone();
    url.set_path(&name);
    let pool = PgPoolOptions::new()
        .max_connections(MAX_CONNECTIONS)
        .connect(url.as_str())
        .await
        .expect("a database just created can be connected to");
    TestPostgres { server, name, url: url.into(), pool }
}

impl TestPostgres {
    /// The URL of the database, with user and password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A small pool of connections to the database.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        let server = self.server.clone();
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        cleanup::run(async move {
            let mut admin = PgConnection::connect(server.as_str()).await?;
            sqlx::query(AssertSqlSafe(statement)).execute(&mut admin).await?;
            Ok(admin.close().await?)
        });
    }
}
