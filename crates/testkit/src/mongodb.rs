//! A MongoDB database of its own for each test.

use std::time::Duration;

use ::mongodb::options::ClientOptions;
use ::mongodb::{Client, Database};
use bson::doc;
use url::Url;

use crate::{address, cleanup, name};

/// A server on the same machine answers sooner, or not at all; the driver's own limit is 30 s.
const SELECTION_LIMIT: Duration = Duration::from_secs(10);

/// A database that does not exist before the first write, dropped at the end of the test.
#[derive(Debug)]
pub struct TestMongo {
    url: String,
    database: Database,
}

/// Names an unused MongoDB database.
///
/// # Panics
/// If the shared MongoDB is not reachable.
pub async fn mongodb() -> TestMongo {
    let server = address::mongodb();
    let name = name::unique();
    let mut url = server.clone();
    url.set_path(&name);
    let database = open(&url, &name).await.expect("TEST_MONGODB_URL is a URL of MongoDB");
    address::reached(&server, database.run_command(doc! { "ping": 1 }).await);
    TestMongo { url: url.into(), database }
}

async fn open(url: &Url, name: &str) -> ::mongodb::error::Result<Database> {
    let mut options = ClientOptions::parse(url.as_str()).await?;
    options.server_selection_timeout = Some(SELECTION_LIMIT);
    options.max_pool_size = Some(8);
    Ok(Client::with_options(options)?.database(name))
}

impl TestMongo {
    /// The URL, with the database as the default one.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The name of the database.
    pub fn name(&self) -> &str {
        self.database.name()
    }

    /// The database itself.
    pub fn database(&self) -> Database {
        self.database.clone()
    }
}

impl Drop for TestMongo {
    fn drop(&mut self) {
        let url = self.url.clone();
        let name = self.name().to_owned();
        cleanup::run(async move {
            // A client of its own: the test's lives in the test's runtime, which stands still meanwhile.
            let database = open(&Url::parse(&url)?, &name).await?;
            Ok(database.drop().await?)
        });
    }
}
