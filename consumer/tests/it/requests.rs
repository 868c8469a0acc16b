//! Requests through real queues, each caller with its own answer.

use std::time::Duration;

use contracts::messages::{HealthAnswer, HealthCheck};
use contracts::records::{ReadDatabase, RecordPage};

use super::support::{Servers, delete, insert};

const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_health_check_is_answered_by_a_named_consumer() {
    let site = Servers::new().await.start(&["health_check"]).await;
    let requester = site.broker.requester();
    let ask = |message: String| {
        let requester = requester.clone();
        async move { requester.request::<_, HealthAnswer>(&HealthCheck { message }, PATIENCE).await.unwrap() }
    };
    let answers = futures_util::future::join_all((0..20).map(|i| ask(format!("caller {i}")))).await;
    for (i, answer) in answers.iter().enumerate() {
        assert_eq!(answer.message, format!("caller {i}"));
        assert!(answer.acknowledged_by.contains(&format!("/{}/", std::process::id())), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_records_come_in_order_without_the_deleted_each_to_its_caller() {
    let site = Servers::new().await.start(&["insert_record", "delete_record", "read_database"]).await;
    site.publish((0..250).map(|i| insert(&format!("S{i:03}"), &format!("name {i}"), 1))).await;
    site.reports(250).await;
    site.publish((0..250).step_by(10).map(|i| delete(&format!("S{i:03}"), 2))).await;
    site.reports(25).await;
    let expected: Vec<String> = (0..250).filter(|i| i % 10 != 0).map(|i| format!("S{i:03}")).collect();

    let requester = site.broker.requester();
    let read = |after: Option<String>, limit: Option<u32>| {
        let requester = requester.clone();
        async move { requester.request::<_, RecordPage>(&ReadDatabase { after, limit }, PATIENCE).await.unwrap() }
    };
    let walk = |limit: Option<u32>| {
        let read = &read;
        async move {
            let (mut srns, mut after) = (Vec::new(), None);
            loop {
                let page = read(after, limit).await;
                srns.extend(page.records.into_iter().map(|record| record.srn));
                after = page.next;
                if after.is_none() {
                    return srns;
                }
            }
        }
    };
    // Callers with pages of different sizes at the same time.
    let walks = [Some(1000), Some(7), Some(50), None, Some(225)].map(walk);
    for srns in futures_util::future::join_all(walks).await {
        assert_eq!(srns, expected);
    }
    assert_eq!(read(None, None).await.records.len(), 100, "the default page");
    assert_eq!(read(None, Some(0)).await.records.len(), 1, "at least one");
    assert_eq!(read(Some("S9".to_owned()), None).await, RecordPage::default());
}
