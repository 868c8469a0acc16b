//! What goes wrong while users are welcomed: servers that are away, processes that are killed, and two at once.

use std::collections::HashSet;

use contracts::users::UserEvent;
use messaging::{FailureKind, HandleBatch};
use serde_json::json;
use testkit::{eventually, eventually_within, proxy};
use uuid::Uuid;

use super::{document, site, state, welcomer};
use crate::outages::outage;
use crate::smtp::MailServer;
use crate::stopping::program;
use crate::support::{Servers, created, deleted, delivery, versioned};

/// A mail server that is away: /health says so and the process is well all the same.
async fn mail_outage(silent: bool) {
    let mail = MailServer::start().await;
    let proxy = proxy(&mail.url()).await;
    let servers = Servers::new().await.with("--smtp-url", proxy.url_for(&mail.url()));
    let site = servers.start(&["welcome_messages", "user_tasks"]).await;
    let mongo = &site.servers.mongo;
    if silent {
        proxy.blackhole().await;
    } else {
        proxy.cut().await;
    }
    let ids: Vec<_> = (0..5).map(|_| Uuid::now_v7()).collect();
    site.publish(ids.iter().map(|id| versioned(&created(*id, "Ada"), 1))).await;
    eventually_within(std::time::Duration::from_secs(40), "the pause is seen in /health", || async {
        let (status, health) = site.json("/health").await;
        let (consumer, smtp) = (&health["dependencies"]["welcome_messages"], &health["dependencies"]["smtp"]);
        (status == 200 && health["status"] == "degraded" && consumer["status"] == "down" && smtp["status"] == "down")
            .then_some(())
    })
    .await;
    site.holds("welcome_messages", 5).await;
    let steps = site.reports(5).await;
    assert!(steps.iter().all(|report| report["step"] == "user_tasks"), "{steps:?}");
    assert!(document(mongo, ids[0]).await.is_some(), "what can be done is done");

    // Its deletion waits behind the creations; another role has heard of it. Where the server only does not answer, the mail
    // may be on its way already.
    let deleted_early = usize::from(!silent);
    site.publish(ids[..deleted_early].iter().map(|id| versioned(&deleted(*id), 2))).await;
    site.reports(deleted_early).await;
    proxy.restore().await;
    for report in site.reports(5 + deleted_early).await {
        assert_eq!(report["step"], "welcome_messages");
        assert_eq!((&report["state"], &report["attempt"]), (&json!("done"), &json!(1)), "an attempt was spent");
    }
    let mailed: HashSet<_> = mail.taken().into_iter().map(|mail| mail.to).collect();
    let expected: HashSet<_> = ids[deleted_early..].iter().map(|id| format!("{id}@example.org")).collect();
    assert_eq!((mailed, mail.taken().len()), (expected, 5 - deleted_early));
    assert_eq!(state(mongo, ids[0]).await, if silent { "sent" } else { "stored" });
    for queue in ["welcome_messages.dead", "retry.1s"] {
        assert_eq!(site.servers.rabbit.queue_depth(queue).await, 0, "{queue}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_mail_server_is_down_welcoming_pauses_and_no_attempt_is_spent() {
    mail_outage(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_mail_server_does_not_answer_welcoming_pauses_and_no_attempt_is_spent() {
    mail_outage(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_mongodb_is_down_welcomes_wait_and_no_attempt_is_spent() {
    let ids: Vec<_> = (0..5).map(|_| Uuid::now_v7()).collect();
    let messages = ids.iter().map(|id| versioned(&created(*id, "Ada"), 1)).collect();
    let (site, _proxy) = outage("--mongodb-url", "welcome_messages", false, messages).await;
    for id in ids {
        assert_eq!(state(&site.servers.mongo, id).await, "stored");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_consumers_with_the_same_event_one_mails_and_the_other_waits() {
    let mail = MailServer::start().await;
    let servers = Servers::new().await.with("--smtp-url", mail.url());
    let stores = servers.stores().await;
    let (one, other) = (welcomer(&stores), welcomer(&stores));
    let id = Uuid::now_v7();
    let batch = [delivery(UserEvent::Created(created(id, "Ada")), 1)];
    mail.hold(true);
    let first = one.handle_batch(&batch);
    let second = async {
        eventually("the first is at it", || async { (mail.taken().len() == 1).then_some(()) }).await;
        let waits = other.handle_batch(&batch).await.expect_err("the first is not done");
        assert_eq!(waits.kind, FailureKind::Unavailable, "{waits}");
        mail.hold(false);
    };
    let (first, ()) = tokio::join!(first, second);
    assert_eq!(first, Ok(vec![Ok(())]));
    assert_eq!(other.handle_batch(&batch).await, Ok(vec![Ok(())]));
    assert_eq!((mail.taken().len(), state(&servers.mongo, id).await.as_str()), (1, "sent"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_consumers_share_a_queue_full_of_duplicates_and_each_user_is_mailed_once() {
    let mail = MailServer::start().await;
    let site = site(&mail, &["welcome_messages"]).await;
    let (other, url) = program(&site.servers, &["welcome_messages"]).await;
    let other = other.start().await;
    other.wait_ready(&format!("{url}/ready")).await;
    let ids: Vec<_> = (0..100).map(|_| Uuid::now_v7()).collect();
    let each: Vec<_> = ids.iter().map(|id| versioned(&created(*id, "Ada"), 1)).collect();
    site.publish(each.iter().flat_map(|message| [message.clone(), message.clone(), message.clone()])).await;
    site.reports(300).await;
    let mailed: HashSet<_> = mail.taken().into_iter().map(|mail| mail.to).collect();
    assert_eq!((mailed.len(), mail.taken().len()), (100, 100));
    assert_eq!(other.sigterm().await, 0, "{}", other.logs());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_mail_and_record_it_mails_again_under_the_same_id() {
    let mail = MailServer::start().await;
    let servers = Servers::new().await.with("--smtp-url", mail.url());
    servers.stores().await;
    let ids: Vec<_> = (0..40).map(|_| Uuid::now_v7()).collect();
    let broker = consumer::connect_broker(&servers.config(&["welcome_messages"])).await.unwrap();
    broker.publisher().publish_all(ids.iter().map(|id| versioned(&created(*id, "Ada"), 1))).await;
    broker.close().await;

    mail.hold(true);
    let (program, _) = program(&servers, &["welcome_messages"]).await;
    let program = program.start().await;
    eventually("mails are taken and not answered", || async { (!mail.taken().is_empty()).then_some(()) }).await;
    program.kill9().await;
    mail.hold(false);
    program.start_again().await;
    let patience = std::time::Duration::from_secs(60);
    eventually_within(patience, "all is acked", || async {
        (servers.rabbit.queue_depth("welcome_messages").await == 0).then_some(())
    })
    .await;
    for id in &ids {
        assert_eq!(state(&servers.mongo, *id).await, "sent");
    }
    let mails = mail.taken();
    let message_ids: HashSet<_> = mails.iter().map(|mail| mail.header("Message-ID").unwrap()).collect();
    assert_eq!(message_ids.len(), 40);
    assert!((41..=48).contains(&mails.len()), "what was under way was mailed again, and no other: {}", mails.len());
    assert_eq!(program.sigterm().await, 0, "{}", program.logs());
    assert_eq!(servers.rabbit.queue_depth("welcome_messages.dead").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_record_and_ack_it_does_not_mail_again() {
    let mail = MailServer::start().await;
    let servers = Servers::new().await.with("--smtp-url", mail.url());
    let stores = servers.stores().await;
    let id = Uuid::now_v7();
    let batch = [delivery(UserEvent::Created(created(id, "Ada")), 1)];
    // Two processes: the first died before its ack, so the second gets the same message.
    for _ in 0..2 {
        assert_eq!(welcomer(&stores).handle_batch(&batch).await, Ok(vec![Ok(())]));
    }
    assert_eq!(mail.taken().len(), 1);
}
