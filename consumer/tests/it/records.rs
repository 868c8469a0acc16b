//! Records: from the queue into MariaDB, and read from there.

use consumer::handlers::insert_record::InsertRecords;
use contracts::records::InsertRecord;
use messaging::HandleBatch;
use serde_json::json;
use testkit::eventually;

use super::support::{Servers, delete, delivery, insert, record};

#[tokio::test(flavor = "multi_thread")]
async fn an_inserted_record_can_be_read_and_its_task_is_told() {
    let site = Servers::new().await.start(&["insert_record"]).await;
    let message = insert("S1", "Ada", 1);
    let task = message.headers.text(contracts::headers::TASK_ID).unwrap().to_owned();
    site.publish([message]).await;

    assert_eq!(site.found("/records/S1").await, json!({ "SRN": "S1", "Name": "Ada", "Section": "B" }));
    let reports = site.reports(1).await;
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0]["task_id"], json!(task));
    assert_eq!(
        (&reports[0]["step"], &reports[0]["state"], &reports[0]["attempt"]),
        (&json!("insert_record"), &json!("done"), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_reported_in_one_message() {
    let servers = Servers::new().await;
    let site = servers.start(&["insert_record"]).await;
    site.publish((0..300).map(|i| insert(&format!("S{i}"), "Ada", 1))).await;
    let reports = site.reports(300).await;
    assert_eq!(reports.len(), 300);
    let mut tasks: Vec<_> = reports.iter().map(|report| report["task_id"].as_str().unwrap()).collect();
    tasks.sort_unstable();
    tasks.dedup();
    assert_eq!(tasks.len(), 300, "each task is reported once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_after_its_deletion_does_not_bring_the_record_back() {
    let site = Servers::new().await.start(&["insert_record", "delete_record"]).await;
    site.publish([delete("S1", 2)]).await;
    site.reports(1).await;
    site.publish([insert("S1", "Ada", 1)]).await;
    site.reports(1).await;
    assert_eq!(site.json("/records/S1").await.0, 404);
    site.publish([insert("S1", "Eva", 3)]).await;
    assert_eq!(site.found("/records/S1").await["Name"], "Eva");
}

#[tokio::test(flavor = "multi_thread")]
async fn srns_that_differ_in_case_or_accents_are_different_records() {
    let site = Servers::new().await.start(&["insert_record"]).await;
    site.publish([insert("é1", "a", 1), insert("e1", "b", 1), insert("E1", "c", 1)]).await;
    for (srn, name) in [("%C3%A91", "a"), ("e1", "b"), ("E1", "c")] {
        assert_eq!(site.found(&format!("/records/{srn}")).await["Name"], name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_that_write_the_same_records_at_the_same_time_do_not_fail() {
    let servers = Servers::new().await;
    let stores = servers.stores().await;
    let batch = |version: i64, from: usize| -> Vec<_> {
        (0..50).map(|i| delivery(InsertRecord(record(&format!("S{:02}", (i + from) % 50), "x")), version)).collect()
    };
    let writers = (0..6).map(|writer| {
        let handler = InsertRecords(stores.records().unwrap().clone());
        tokio::spawn(async move {
            for round in 0..10 {
                let verdicts = handler.handle_batch(&batch(1 + round * 6 + writer, writer as usize * 7)).await;
                assert!(verdicts.unwrap().iter().all(Result::is_ok));
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let newest: (i64, i64) =
        sqlx::query_as("SELECT MIN(version), MAX(version) FROM records").fetch_one(servers.mysql.pool()).await.unwrap();
    assert_eq!(newest, (60, 60));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consumers_share_a_queue() {
    let first = Servers::new().await.with("--batch", 5).with("--prefetch", 5).start(&["insert_record"]).await;
    let config = first.servers.config(&["insert_record"]);
    let stop = tokio_util::sync::CancellationToken::new();
    let stores = consumer::stores::Stores::connect(&config).await.unwrap();
    let broker = consumer::connect_broker(&config).await.unwrap();
    let second = consumer::consumers::Consumers::start(&config, &broker, &stores, &stop).unwrap();
    let second = tokio::spawn(second.finish(std::time::Duration::from_secs(10)));
    first.publish((0..200).map(|i| insert(&format!("S{i}"), "Ada", 1))).await;
    eventually("all records are there", || async {
        let count: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM records").fetch_one(first.servers.mysql.pool()).await.unwrap();
        (count == 200).then_some(())
    })
    .await;
    stop.cancel();
    second.await.unwrap().unwrap();
}
