//! Triggers that count what happens to records in MariaDB, past every guard of the consumer.

use std::collections::BTreeMap;

use sqlx::MySqlPool;

/// Counts from when they are made.
#[derive(Debug)]
pub(super) struct Triggers(MySqlPool);

impl Triggers {
    pub(super) async fn install(pool: MySqlPool) -> Self {
        for sql in [
            // Each try to write a row, also one that changes nothing.
            "CREATE TABLE tries (srn VARCHAR(255) COLLATE utf8mb4_bin, version BIGINT)",
            "CREATE TRIGGER tried BEFORE INSERT ON records FOR EACH ROW INSERT INTO tries VALUES (NEW.srn, NEW.version)",
            // Each change of a row.
            "CREATE TABLE changes (srn VARCHAR(255) COLLATE utf8mb4_bin, version BIGINT)",
            "CREATE TRIGGER inserted AFTER INSERT ON records FOR EACH ROW \
             INSERT INTO changes VALUES (NEW.srn, NEW.version)",
            "CREATE TRIGGER updated AFTER UPDATE ON records FOR EACH ROW INSERT INTO changes SELECT NEW.srn, NEW.version \
             WHERE (NEW.version, NEW.updated_at) <> (OLD.version, OLD.updated_at)",
        ] {
            sqlx::raw_sql(sql).execute(&pool).await.expect("the test may count");
        }
        Self(pool)
    }

    /// The newest version that each record was changed to.
    pub(super) async fn last_changes(&self) -> BTreeMap<String, i64> {
        let sql = "SELECT srn, MAX(version) FROM changes GROUP BY srn";
        let rows: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(&self.0).await.expect("the table exists");
        rows.into_iter().collect()
    }

    /// How often each change was made that was made more than once.
    pub(super) async fn doubled(&self) -> BTreeMap<String, i64> {
        let sql = "SELECT CONCAT(srn, ' to version ', version), COUNT(*) FROM changes
                   GROUP BY srn, version HAVING COUNT(*) > 1";
        let rows: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(&self.0).await.expect("the table exists");
        rows.into_iter().collect()
    }

    pub(super) async fn tries(&self) -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM tries").fetch_one(&self.0).await.expect("the table exists")
    }

    /// How many tries came after a first one.
    pub(super) async fn redelivered(&self) -> i64 {
        let sql = "SELECT COUNT(*) - COUNT(DISTINCT srn, version) FROM tries";
        sqlx::query_scalar(sql).fetch_one(&self.0).await.expect("the table exists")
    }
}
