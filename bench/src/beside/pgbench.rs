//! What Postgres does without group commit: a transaction of two inserts for each request, by Postgres' own load tool.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::stage::Stage;

/// A state and a message, about as large as those of `POST /records`.
const TABLES: &str = "
CREATE TABLE state (srn text COLLATE \"C\" PRIMARY KEY, name text, section text, version bigint NOT NULL, live boolean NOT NULL);
CREATE TABLE message (seq bigserial PRIMARY KEY, created_at timestamptz NOT NULL DEFAULT now(), exchange text NOT NULL,
                      routing_key text NOT NULL, headers text NOT NULL, body text NOT NULL);
";
const SCRIPT: &str = r#"\set n random(1, 9000000000000000)
BEGIN;
INSERT INTO state VALUES ('bench-' || :n, 'Ada Lovelace', 'B', 1, true);
INSERT INTO message (exchange, routing_key, headers, body) VALUES ('commands', 'insert_record', '{"x-version":1}', '{"SRN":"bench-000000001","Name":"Ada Lovelace","Section":"B"}');
COMMIT;
"#;

const DATABASE: &str = "pair";
/// Its clock runs while it logs in, which takes Postgres time with passwords; its rate does not count that.
const LOGINS_PER_SECOND: usize = 64;

/// Makes the tables in a database of their own.
pub(crate) async fn prepare(stage: &Stage) -> anyhow::Result<()> {
    let database = stage.fresh_database(DATABASE).await?;
    sqlx::raw_sql(TABLES).execute(&database).await?;
    database.close().await;
    Ok(())
}

/// Transactions per second with so many clients.
pub(crate) async fn rate(stage: &Stage, clients: usize, lasts: Duration) -> anyhow::Result<f64> {
    let script = stage.folder.join("pair.sql");
    fs::write(&script, SCRIPT)?;
    let seconds = lasts.as_secs().max(1) + (clients / LOGINS_PER_SECOND) as u64 + 1;
    let threads = clients.min(2);
    let mut command = Command::new(program());
    command.args(["--no-vacuum", "--protocol=prepared", "--file"]).arg(&script);
    command.args([format!("--client={clients}"), format!("--jobs={threads}"), format!("--time={seconds}")]);
    command.arg(stage.postgres_url(DATABASE));
    let tool = stage.tool("pgbench", command, &stage.folder)?;
    let told = tool.finished(Duration::from_secs(seconds + 60)).await?;
    parse(&told).with_context(|| format!("pgbench told no rate:\n{told}"))
}

/// Debian keeps it beside the server, where no PATH leads.
fn program() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let installed = versions.map(|version| version.path().join("bin/pgbench")).filter(|path| path.exists());
    installed.max().unwrap_or_else(|| PathBuf::from("pgbench"))
}

fn parse(told: &str) -> Option<f64> {
    let failed = told.lines().find_map(|line| line.strip_prefix("number of failed transactions: "));
    if failed.is_some_and(|failed| !failed.starts_with("0 ")) {
        return None;
    }
    told.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read_from_what_pgbench_tells() {
        let told = "pgbench (15.13)\nnumber of failed transactions: 0 (0.000%)\nlatency average = 1 ms\ntps = 4712.5 (without initial connection time)\n";
        assert_eq!(parse(told), Some(4712.5));
        assert_eq!(parse(&told.replace(": 0 (", ": 3 (")), None);
        assert_eq!(parse("pgbench: error: connection failed"), None);
    }
}
