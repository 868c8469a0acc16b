//! Texts: stored once each.

use consumer::handlers::tasks::StoreMessages;
use contracts::messages::StoreMessage;
use messaging::{FailureKind, HandleBatch};
use serde_json::json;

use super::support::{Servers, delivery, versioned};

#[tokio::test(flavor = "multi_thread")]
async fn a_redelivered_text_is_stored_once_and_as_it_first_came() {
    let servers = Servers::new().await;
    let stores = servers.stores().await;
    let handler = StoreMessages(stores.messages().unwrap().clone());
    let batch: Vec<_> = (0..10).map(|i| delivery(StoreMessage { message: format!("text {i}") }, 1)).collect();
    let twice: Vec<_> = batch.iter().chain(&batch).cloned().collect();
    assert!(handler.handle_batch(&twice).await.unwrap().iter().all(Result::is_ok));
    let first = stores.messages().unwrap().page(None, 100).await.unwrap();
    assert!(handler.handle_batch(&batch).await.unwrap().iter().all(Result::is_ok));
    let again = stores.messages().unwrap().page(None, 100).await.unwrap();
    assert_eq!(first.messages.len(), 10);
    assert_eq!(again.messages, first.messages);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_beyond_all_measure_fails_alone() {
    let servers = Servers::new().await;
    let stores = servers.stores().await;
    let handler = StoreMessages(stores.messages().unwrap().clone());
    let text = |message: String| delivery(StoreMessage { message }, 1);
    let batch = [text("a".into()), text("x".repeat(1024 * 1024 + 1)), text("b".into())];
    let verdicts = handler.handle_batch(&batch).await.unwrap();
    assert_eq!(verdicts[1].as_ref().unwrap_err().kind, FailureKind::Reject);
    assert!(verdicts[0].is_ok() && verdicts[2].is_ok());
    assert_eq!(stores.messages().unwrap().page(None, 10).await.unwrap().messages.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_are_listed_page_by_page_with_their_tasks() {
    let site = Servers::new().await.start(&["tasks"]).await;
    let messages: Vec<_> = (0..5).map(|i| versioned(&StoreMessage { message: format!("text {i}") }, 1)).collect();
    let task = messages[0].headers.text(contracts::headers::TASK_ID).unwrap().to_owned();
    site.publish(messages).await;
    site.reports(5).await;
    let (_, first) = site.json("/messages?limit=3").await;
    let texts = |page: &serde_json::Value| -> Vec<String> {
        page["messages"].as_array().unwrap().iter().map(|text| text["message"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(texts(&first), ["text 0", "text 1", "text 2"]);
    assert_eq!(first["messages"][0]["task_id"], json!(task));
    let (_, rest) = site.json(&format!("/messages?limit=3&after={}", first["next"].as_str().unwrap())).await;
    assert_eq!(texts(&rest), ["text 3", "text 4"]);
    assert_eq!(rest["next"], json!(null));
}
