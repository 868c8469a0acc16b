//! An InfluxDB database of its own for each test.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use url::Url;

use crate::{address, cleanup, http, name};

const LIMIT: Duration = Duration::from_secs(20);

/// An empty database, dropped at the end of the test.
#[derive(Debug)]
pub struct TestInflux {
    server: Url,
    database: String,
}

/// Makes a new InfluxDB database.
///
/// # Panics
/// If the shared InfluxDB is not reachable.
pub async fn influxdb() -> TestInflux {
    let server = address::influxdb();
    let database = name::unique();
    address::reached(&server, ask(&server, &database, &format!("CREATE DATABASE {database}")).await);
    TestInflux { server, database }
}

impl TestInflux {
    /// Where it is, without a `/` at the end.
    pub fn url(&self) -> &str {
        http::bare(&self.server)
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The answer to an InfluxQL query: an object for each row, with its columns, `time` in nanoseconds and the tags it was
    /// grouped by.
    ///
    /// # Panics
    /// If the query is refused.
    pub async fn query(&self, query: &str) -> Vec<Value> {
        query_on(self.url(), &self.database, query).await
    }
}

/// [`TestInflux::query`] on any InfluxDB, such as a private one.
///
/// # Panics
/// If the query is refused, or nobody answers.
pub async fn query_on(url: &str, database: &str, query: &str) -> Vec<Value> {
    let server = Url::parse(url).expect("it is a URL");
    let answer = ask(&server, database, query).await.unwrap_or_else(|error| panic!("{query}: {error:#}"));
    let series = answer["results"][0]["series"].as_array().cloned().unwrap_or_default();
    series.iter().flat_map(rows).collect()
}

fn rows(series: &Value) -> Vec<Value> {
    let columns = series["columns"].as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |values: &Value| {
        let mut row = series["tags"].as_object().cloned().unwrap_or_default();
        row.extend(columns.iter().enumerate().map(|(at, name)| (text(name), values[at].clone())));
        Value::Object(row)
    };
    series["values"].as_array().map(|values| values.iter().map(row).collect()).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// An error of the query itself comes with status 200.
async fn ask(server: &Url, database: &str, query: &str) -> anyhow::Result<Value> {
    let form = [("db", database), ("q", query), ("epoch", "ns")];
    let answer = http::client(LIMIT).post(http::at(server, "query")).form(&form).send().await;
    let answer = answer.map_err(reqwest::Error::without_url)?;
    let status = answer.status();
    let body: Value = answer.json().await.context("InfluxDB answers JSON")?;
    if let Some(error) = body["error"].as_str().or(body["results"][0]["error"].as_str()) {
        bail!("InfluxDB answered {status}: {error}");
    }
    Ok(body)
}

impl Drop for TestInflux {
    fn drop(&mut self) {
        let (server, database) = (self.server.clone(), self.database.clone());
        cleanup::run(async move { ask(&server, &database, &format!("DROP DATABASE {database}")).await.map(drop) });
    }
}
