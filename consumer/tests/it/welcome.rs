//! Welcome messages: stored, and mailed once where there is a mail server.

mod failing;

use std::collections::HashSet;

use bson::{Document, doc};
use consumer::handlers::welcome_messages::WelcomeUsers;
use consumer::stores::Stores;
use contracts::users::{UserCreated, UserState};
use proptest::prelude::*;
use serde_json::{Value, json};
use testkit::{TestMongo, eventually};
use uuid::Uuid;

use super::converging::{RUNTIME, for_cases, handle, user_histories};
use super::smtp::MailServer;
use super::support::{Servers, Site, created, deleted, user, user_history, versioned};

async fn document(mongo: &TestMongo, id: Uuid) -> Option<Document> {
    let collection = mongo.database().collection::<Document>("welcome_messages");
    collection.find_one(doc! { "_id": id.to_string() }).await.expect("MongoDB can be read")
}

async fn state(mongo: &TestMongo, id: Uuid) -> String {
    let document = document(mongo, id).await.expect("there is a document");
    document.get_str("state").expect("it has a state").to_owned()
}

fn to(id: Uuid, address: &str) -> UserCreated {
    UserCreated(UserState { email: address.to_owned(), ..user(id, "Ada", 0) })
}

async fn site(mail: &MailServer, roles: &[&str]) -> Site {
    Servers::new().await.with("--smtp-url", mail.url()).start(roles).await
}

fn welcomer(stores: &Stores) -> WelcomeUsers {
    let (welcomes, users) = (
        stores.welcomes().expect("the role has MongoDB").clone(),
        stores.users().expect("the role has MongoDB").clone(),
    );
    WelcomeUsers::new(welcomes, users, stores.mailer().cloned())
}

fn states(reports: &[Value]) -> Vec<&str> {
    reports.iter().map(|report| report["state"].as_str().expect("a report has a state")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_the_welcome_is_stored_and_forgotten_with_the_user() {
    let site = Servers::new().await.with("--smtp-url", "").start(&["welcome_messages"]).await;
    let (mongo, id) = (&site.servers.mongo, Uuid::now_v7());
    site.publish([versioned(&created(id, "Ada\r\nBcc: x"), 1)]).await;
    assert_eq!(states(&site.reports(1).await), ["done"]);
    let stored = document(mongo, id).await.unwrap();
    assert_eq!(stored.get_str("state").ok(), Some("stored"));
    assert_eq!(stored.get_str("subject").ok(), Some("Welcome to Warren, Ada Bcc: x"));
    assert!(stored.get_str("text").unwrap().starts_with("Hello Ada Bcc: x,\n"));
    assert_eq!(stored.get_str("email").ok(), Some(format!("{id}@example.org").as_str()));

    site.publish([versioned(&deleted(id), 2), versioned(&created(id, "Ada"), 1)]).await;
    assert_eq!(states(&site.reports(2).await), ["done", "done"]);
    let left = document(mongo, id).await.unwrap();
    let fields: HashSet<_> = left.keys().map(String::as_str).collect();
    assert_eq!(fields, HashSet::from(["_id", "user_id", "state", "version", "deleted"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_user_is_mailed_once_however_often_the_event_comes() {
    let mail = MailServer::start().await;
    let site = site(&mail, &["welcome_messages"]).await;
    let id = Uuid::now_v7();
    let name = format!("Eve\r\nBcc: all@example.org\r\n\r\nשלום 😀 {}", "é".repeat(200));
    let creation = versioned(&created(id, &name), 1);
    for _ in 0..20 {
        site.publish([creation.clone()]).await;
    }
    assert_eq!(states(&site.reports(20).await), ["done"; 20]);
    let taken = mail.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].to, format!("{id}@example.org"));
    let message_id = format!("<welcome.{id}@warren.example>");
    assert_eq!(taken[0].header("Message-ID").as_ref(), Some(&message_id));
    assert_eq!(taken[0].header("From").as_deref(), Some("Warren <welcome@warren.example>"));
    assert!(taken[0].header("Bcc").is_none() && taken[0].text.is_ascii(), "{}", taken[0].text);
    let stored = document(&site.servers.mongo, id).await.unwrap();
    assert_eq!(
        (stored.get_str("state").ok(), stored.get_str("message_id").ok()),
        (Some("sent"), Some(message_id.as_str()))
    );
    assert!(stored.get_datetime("sent_at").is_ok() && stored.get("claim").is_none(), "{stored}");

    // Erased, and what comes again brings no second mail.
    site.publish([versioned(&deleted(id), 2), creation]).await;
    site.reports(2).await;
    let left = document(&site.servers.mongo, id).await.unwrap();
    assert!(left.get("email").is_none() && left.get("text").is_none() && left.get("subject").is_none(), "{left}");
    assert_eq!((left.get_str("state").ok(), mail.taken().len()), (Some("sent"), 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_can_be_read_whatever_the_name() {
    let mail = testkit::mail().await;
    let site = Servers::new().await.with("--smtp-url", mail.url()).start(&["welcome_messages"]).await;
    let names = ["Ada Lovelace", "שלום", "José 😀", "Eve\r\nBcc: all@example.org"];
    let addresses: Vec<_> = (0..names.len()).map(|i| mail.address(&format!("user{i}"))).collect();
    site.publish(names.iter().zip(&addresses).map(|(name, address)| {
        versioned(&UserCreated(UserState { name: (*name).to_owned(), ..to(Uuid::now_v7(), address).0 }), 1)
    }))
    .await;
    assert_eq!(states(&site.reports(4).await), ["done"; 4]);
    let received = mail.received().await;
    assert_eq!(received.len(), 4);
    for (name, address) in ["Ada Lovelace", "שלום", "José 😀", "Eve Bcc: all@example.org"].iter().zip(&addresses)
    {
        let mail = received.iter().find(|mail| mail.to == *address).expect("each has a mail");
        assert_eq!(mail.header("Subject"), Some(format!("Welcome to Warren, {name}").as_str()));
        assert!(mail.text.starts_with(&format!("Hello {name},")), "{}", mail.text);
        assert_eq!((mail.from.as_str(), mail.header("Bcc")), ("welcome@warren.example", None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_the_mail_server_are_used_again() {
    let mail = MailServer::start().await;
    let site = site(&mail, &["welcome_messages"]).await;
    site.publish((0..100).map(|_| versioned(&created(Uuid::now_v7(), "Ada"), 1))).await;
    site.reports(100).await;
    assert_eq!(mail.taken().len(), 100);
    // Eight for mails, and what /health asks with.
    assert!(mail.connections() <= 10, "{} connections", mail.connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_refused_is_no_dead_letter_and_is_not_tried_again() {
    let mail = MailServer::start().await;
    let site = site(&mail, &["welcome_messages"]).await;
    let mongo = &site.servers.mongo;
    let refused: Vec<_> = ["refused@example.org", "no address", "ève@example.org", "a@b\r\nRCPT TO:<c@d>"]
        .map(|address| (Uuid::now_v7(), address))
        .to_vec();
    let well: Vec<_> = (0..3).map(|_| Uuid::now_v7()).collect();
    let mut messages: Vec<_> = well.iter().map(|id| versioned(&created(*id, "Ada"), 1)).collect();
    messages.extend(refused.iter().map(|(id, address)| versioned(&to(*id, address), 1)));
    for _ in 0..2 {
        site.publish(messages.clone()).await;
        let reports = site.reports(7).await;
        let states = states(&reports);
        assert_eq!(states.iter().filter(|state| **state == "refused").count(), 4, "{reports:?}");
        assert_eq!(states.iter().filter(|state| **state == "done").count(), 3, "{reports:?}");
        for report in reports.iter().filter(|report| report["state"] == "refused") {
            assert!(!report["error"].as_str().unwrap().contains('@'), "{report}");
        }
    }
    assert_eq!((mail.taken().len(), mail.tries("refused@example.org")), (3, 1));
    for (id, address) in refused {
        let stored = document(mongo, id).await.unwrap();
        assert_eq!((stored.get_str("state").ok(), stored.get_str("email").ok()), (Some("refused"), Some(address)));
        assert!(stored.get_str("text").is_ok() && !stored.get_str("detail").unwrap().is_empty(), "{stored}");
    }
    assert_eq!(site.servers.rabbit.queue_depth("welcome_messages.dead").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_later_is_tried_again() {
    let mail = MailServer::start().await;
    let site = site(&mail, &["welcome_messages"]).await;
    let (late, well) = (Uuid::now_v7(), Uuid::now_v7());
    site.publish([versioned(&to(late, "later@example.org"), 1), versioned(&created(well, "Ada"), 1)]).await;
    let reports = site.reports(3).await;
    let retried = reports.iter().find(|report| report["state"] == "retrying").expect("one is retried");
    assert!(retried["error"].as_str().unwrap().contains("450"), "{retried}");
    assert_eq!(reports[2]["attempt"], 2);
    assert_eq!((mail.taken().len(), mail.tries("later@example.org")), (2, 2));
    assert_eq!(state(&site.servers.mongo, late).await, "sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_take_the_sender_is_no_users_fault() {
    let mail = MailServer::start().await;
    mail.refuse_sender(true);
    let site = site(&mail, &["welcome_messages"]).await;
    let id = Uuid::now_v7();
    site.publish([versioned(&created(id, "Ada"), 1)]).await;
    eventually("welcoming pauses", || async {
        let (_, health) = site.json("/health").await;
        let error = health["dependencies"]["welcome_messages"]["last_error"].as_str()?.to_owned();
        error.contains("5.1.8").then_some(())
    })
    .await;
    mail.refuse_sender(false);
    let reports = site.reports(1).await;
    assert_eq!((&reports[0]["state"], &reports[0]["attempt"]), (&json!("done"), &json!(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_deleted_before_is_never_mailed() {
    let mail = MailServer::start().await;
    let site = site(&mail, &["welcome_messages"]).await;
    let ids: Vec<_> = (0..3).map(|_| Uuid::now_v7()).collect();
    for id in &ids {
        site.publish([versioned(&deleted(*id), 2), versioned(&created(*id, "Ada"), 1)]).await;
    }
    assert_eq!(states(&site.reports(6).await), ["done"; 6]);
    assert_eq!(mail.taken().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_published_by_hand_is_welcomed_once_also_when_the_producer_tells_of_it() {
    let mail = MailServer::start().await;
    let site = site(&mail, &["welcome_messages"]).await;
    let (rabbit, mongo) = (&site.servers.rabbit, &site.servers.mongo);
    let id = Uuid::now_v7();
    let by_hand = json!({ "user_id": id, "name": "Ada", "email": "ada@example.org",
        "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z" });
    rabbit.publish("events", "user.created", json!({}), by_hand.to_string()).await;
    eventually("it is mailed", || async { (mail.taken().len() == 1).then_some(()) }).await;
    site.publish([versioned(&created(id, "Ada"), 1)]).await;
    site.reports(1).await;
    rabbit.publish("events", "user.created", json!({}), by_hand.to_string()).await;
    site.holds("welcome_messages.dead", 1).await;
    assert_eq!((mail.taken().len(), state(mongo, id).await.as_str()), (1, "sent"));
    assert_eq!(document(mongo, id).await.unwrap().get_i64("version").ok(), Some(1));
}

#[test]
fn any_order_and_duplication_of_a_users_events_mails_at_most_once_and_ends_in_the_last_accepted_state() {
    let (mail, servers, stores) = RUNTIME.block_on(async {
        let mail = MailServer::start().await;
        let servers = Servers::new().await.with("--smtp-url", mail.url());
        let stores = servers.stores().await;
        (mail, servers, stores)
    });
    let handler = welcomer(&stores);
    for_cases(&user_histories(), |(updates, ends_deleted, order, size)| {
        RUNTIME.block_on(async {
            let id = Uuid::now_v7();
            let history = user_history(id, updates, ends_deleted);
            handle(&handler, &history, &order, size).await;
            let stored = document(&servers.mongo, id).await.expect("there is a document");
            // It hears of creation and deletion.
            let version = if ends_deleted { history.len() } else { 1 };
            prop_assert_eq!(stored.get_i64("version").unwrap(), version as i64);
            prop_assert_eq!(stored.get("email").is_none() && stored.get("text").is_none(), ends_deleted);
            handle(&handler, &history, &order.iter().rev().copied().collect::<Vec<_>>(), size).await;
            prop_assert_eq!(document(&servers.mongo, id).await, Some(stored.clone()));
            let mails = mail.tries(&format!("{id}@example.org"));
            prop_assert_eq!(mails, usize::from(stored.get_str("state").ok() == Some("sent")));
            prop_assert!(mails == 1 || ends_deleted);
            Ok(())
        })
    });
}
