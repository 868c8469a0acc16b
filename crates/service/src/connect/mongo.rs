//! MongoDB.

use std::time::Duration;

use bson::doc;
use messaging::Backoff;
use mongodb::Client;
use mongodb::options::{Acknowledgment, ClientOptions, WriteConcern};
use secrecy::SecretString;

use super::{PoolSettings, checked, malformed, unreachable};

/// How long to look for a server that can answer.
const SELECTION_TIMEOUT: Duration = Duration::from_secs(3);

/// Connects to the MongoDB at the URL in `variable`; what it acknowledges is on disk (`w: majority, j: true`).
///
/// # Errors
/// If the URL is malformed, or if the last try failed.
pub async fn mongodb(
    variable: &str,
    url: &SecretString,
    pool: PoolSettings,
    backoff: &Backoff,
) -> anyhow::Result<Client> {
    let text = checked_hosts(variable, url)?;
    let mut options = ClientOptions::parse(text).await.map_err(|error| malformed(variable, &error))?;
    options.server_selection_timeout = Some(SELECTION_TIMEOUT);
    options.connect_timeout = Some(pool.connect_timeout);
    options.max_pool_size = Some(pool.connections);
    let durable = WriteConcern::builder().w(Acknowledgment::Majority).journal(true).w_timeout(pool.statement_timeout);
    options.write_concern = Some(durable.build());
    let client = Client::with_options(options).map_err(|error| malformed(variable, &error))?;
    backoff
        .retry("connecting to MongoDB", || ping_mongodb(client.clone()))
        .await
        .map_err(|error| unreachable("MongoDB", variable, &error))?;
    Ok(client)
}

/// A MongoDB URL may name several hosts with ports, which no URL otherwise has: one is enough to check the rest.
fn checked_hosts<'a>(variable: &str, url: &'a SecretString) -> anyhow::Result<&'a str> {
    use secrecy::ExposeSecret;
    let text = url.expose_secret();
    let single = match (text.find("://"), text.find(',')) {
        (Some(start), Some(comma)) if comma > start => {
            let end = text[comma..].find(['/', '?']).map_or(text.len(), |end| comma + end);
            // The credentials stand before the first host, so they are checked as well.
            SecretString::from(format!("{}{}", &text[..comma], &text[end..]))
        }
        _ => url.clone(),
    };
    checked(variable, &single, &["mongodb", "mongodb+srv"])?;
    Ok(text)
}

/// Asks MongoDB for a sign of life.
///
/// # Errors
/// If there was none.
pub async fn ping_mongodb(client: Client) -> Result<(), mongodb::error::Error> {
    client.database("admin").run_command(doc! { "ping": 1 }).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::checked_hosts;

    #[test]
    fn several_hosts_are_one_url() {
        for url in
            ["mongodb://a", "mongodb://me:pw@a:1,b:2,c:3/db?replicaSet=rs", "mongodb+srv://a/db", "mongodb://a,b"]
        {
            checked_hosts("MONGODB_URL", &url.into()).unwrap();
        }
        let error = checked_hosts("MONGODB_URL", &"mongodb://me:pw@a:x,b:2/db".into()).unwrap_err();
        assert!(error.to_string().starts_with("MONGODB_URL"), "{error}");
    }
}
