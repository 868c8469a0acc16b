//! Users and products become searchable as their events arrive, whatever the search server goes through.

use std::time::Duration;

use consumer::handlers::user_search::FindUsers;
use contracts::products::ProductState;
use contracts::users::{UserCreated, UserEvent};
use messaging::{HandleBatch, Outgoing};
use proptest::prelude::*;
use reqwest::Method;
use serde_json::json;
use service::auth::Role;
use testkit::{eventually, eventually_within, proxy};
use uuid::Uuid;

use super::converging::{RUNTIME, for_cases, handle, user_histories};
use super::identity::token;
use super::searching::{
    ask, indexes, named, product, product_created, product_deleted, product_updated, refresh, servers, user_created,
    with_search,
};
use super::support::{Servers, Site, created, deleted, delivery, updated, user_history, versioned};

#[tokio::test(flavor = "multi_thread")]
async fn users_and_products_are_found_as_they_are_now_and_no_more_once_they_are_deleted() {
    let (servers, search) = servers().await;
    let site = servers.start(&["user_search", "product_search"]).await;
    let (ada, teapot) = (Uuid::now_v7(), Uuid::now_v7());
    let state = product(teapot, "Teapot", 1);
    site.publish([versioned(&created(ada, "Ada Lovelace"), 1), product_created(state.clone())]).await;
    let reports = site.reports(1).await;
    assert_eq!((&reports[0]["step"], &reports[0]["state"]), (&json!("user_search"), &json!("done")));
    site.finds("users", "lovelace", &["Ada Lovelace"]).await;
    site.finds("products", "teapot", &["Teapot"]).await;
    let found = site.search("products", "teapot").await;
    assert_eq!(
        found,
        json!({ "total": 1, "next": null, "hits": [{
            "kind": "products", "id": teapot, "score": 100.0, "highlight": { "name": ["<em>Teapot</em>"] },
            "name": "Teapot", "description": "", "owner_name": "Grace Hopper", "price": 1999, "currency": "EUR", "stock": 5,
        }] })
    );

    site.publish([versioned(&updated(ada, "Ada Byron", 1), 2), product_updated(product(teapot, "Kettle", 2))]).await;
    site.finds("users", "byron", &["Ada Byron"]).await;
    site.finds("products", "kettle", &["Kettle"]).await;
    assert!(site.names("users", "lovelace").await.is_empty() && site.names("products", "teapot").await.is_empty());

    site.publish([versioned(&deleted(ada), 3), product_deleted(teapot, 3)]).await;
    site.finds("users", "ada", &[]).await;
    site.finds("products", "kettle", &[]).await;
    let kept = ask(search.url(), Method::GET, &format!("/{}/_doc/{ada}", search.index("users")), None).await;
    let mut fields: Vec<_> = kept["_source"].as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["deleted", "indexed_at", "user_id", "version"], "nothing personal is left of a deleted user");
}

#[test]
fn any_order_and_duplication_of_a_users_events_ends_in_the_last_accepted_state_in_the_search() {
    let (found, _servers, _search) = RUNTIME.block_on(async {
        let (servers, search) = servers().await;
        let stores = servers.stores().await;
        (stores.search().expect("it has one").clone(), servers, search)
    });
    for_cases(&user_histories(), |(updates, ends_deleted, order, size)| {
        RUNTIME.block_on(async {
            let id = Uuid::now_v7();
            let history = user_history(id, updates, ends_deleted);
            handle(&FindUsers(found.clone()), &history, &order, size).await;
            let held = found.user(id).await.expect("the search answers").expect("it has heard of the user");
            prop_assert_eq!(held.version, Some(history.len() as i64));
            prop_assert_eq!(held.deleted, ends_deleted);
            let name = (!ends_deleted).then(|| format!("name {}", updates + 1));
            prop_assert_eq!(held.data["name"].as_str(), name.as_deref());
            Ok(())
        })
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_by_hand_never_beats_what_the_producer_accepted() {
    let (servers, _search) = servers().await;
    let stores = servers.stores().await;
    let search = stores.search().unwrap();
    let handler = FindUsers(search.clone());
    let (by_hand, known) = (Uuid::now_v7(), Uuid::now_v7());
    let batch = |id, name: &str, version| [delivery(UserEvent::Created(created(id, name)), version)];
    for name in ["first", "second"] {
        assert_eq!(handler.handle_batch(&batch(by_hand, name, 0)).await.unwrap(), [Ok(())]);
        assert_eq!(search.user(by_hand).await.unwrap().unwrap().data["name"], name);
    }
    assert_eq!(handler.handle_batch(&batch(known, "Ada", 2)).await.unwrap(), [Ok(())]);
    let refused = handler.handle_batch(&batch(known, "Eve", 0)).await.unwrap();
    assert!(refused[0].as_ref().unwrap_err().reason.contains("has no version"), "{refused:?}");
    assert_eq!(handler.handle_batch(&batch(known, "Older", 1)).await.unwrap(), [Ok(())]);
    assert_eq!(search.user(known).await.unwrap().unwrap().data["name"], "Ada");
    assert_eq!(search.user(Uuid::now_v7()).await.unwrap(), None);
}

async fn outage(silent: bool) {
    let (servers, search) = tokio::join!(Servers::new(), testkit::search());
    let proxy = proxy(search.url()).await;
    let url = proxy.url_for(search.url());
    let site = with_search(servers, &search, &url).start(&["user_search"]).await;
    if silent {
        proxy.blackhole().await;
    } else {
        proxy.cut().await;
    }
    site.publish((0..5).map(|i| user_created(&format!("Ada {i}"), "ada@example.org"))).await;
    eventually("the pause is seen in /health", async || {
        let (status, health) = site.json("/health").await;
        let down = |name: &str| health["dependencies"][name]["status"] == "down";
        (status == 503 && down("user_search") && down("search")).then_some(())
    })
    .await;
    assert_eq!(site.get("/ready").await.status(), 200, "the broker has the consumer all the same");
    let (status, problem) = site.searched(&Site::search_path("users", "ada", "")).await;
    assert_eq!((status, problem["status"].as_u64()), (503, Some(503)), "{problem}");

    proxy.restore().await;
    for report in site.reports(5).await {
        assert_eq!((&report["state"], &report["attempt"]), (&json!("done"), &json!(1)), "an attempt was spent");
    }
    for queue in ["user_search.dead", "retry.1s"] {
        assert_eq!(site.servers.rabbit.queue_depth(queue).await, 0, "{queue}");
    }
    eventually("all five are found", async || (site.names("users", "ada").await.len() == 5).then_some(())).await;
    eventually("all is well again", async || site.get("/health").await.status().is_success().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_search_is_down_consuming_pauses_and_no_attempt_is_spent() {
    outage(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_search_does_not_answer_consuming_pauses_and_no_attempt_is_spent() {
    outage(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_the_index_does_not_take_is_parked_and_the_rest_of_its_batch_is_found() {
    let (servers, search) = servers().await;
    // An index in which no product can have a stock of 300.
    let properties = json!({ "stock": { "type": "byte" }, "product_id": { "type": "keyword" } });
    let index = json!({ "mappings": { "properties": properties }, "aliases": { search.index("products"): {} } });
    ask(search.url(), Method::PUT, &format!("/{}-1", search.index("products")), Some(index)).await;
    let site = servers.start(&["product_search"]).await;
    let ids: Vec<Uuid> = (0..20).map(|_| Uuid::now_v7()).collect();
    site.publish(ids.iter().enumerate().map(|(i, id)| {
        let stock = if i == 7 { 300 } else { 5 };
        product_created(ProductState { stock, ..product(*id, "Teapot", 1) })
    }))
    .await;
    let parked = eventually("the poisoned one is parked", async || {
        site.servers.rabbit.take("product_search.dead", 100).await.pop()
    })
    .await;
    assert_eq!(parked.json()["product_id"], json!(ids[7]));
    let reason = parked.headers["x-dead-reason"].as_str().unwrap();
    assert!(reason.contains("stock") && reason.contains("out of range"), "{reason}");
    site.holds("product_search", 0).await;
    refresh(&search).await;
    let count = ask(search.url(), Method::GET, &format!("/{}/_count", search.index("products")), None).await;
    assert_eq!(count["count"], 19);
    assert_eq!(site.servers.rabbit.queue_depth("product_search.dead").await, 0, "only that one");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_search_its_step_is_skipped_and_its_routes_say_that_there_is_none() {
    let site = Servers::new().await.start(&["user_search", "product_search"]).await;
    site.publish([user_created("Ada", "ada@example.org"), product_created(product(Uuid::now_v7(), "Teapot", 1))]).await;
    let reports = site.reports(1).await;
    assert_eq!((&reports[0]["state"], &reports[0]["error"]), (&json!("skipped"), &json!("no search is configured")));
    site.holds("product_search", 0).await;
    let (status, problem) = site.searched(&Site::search_path("products", "teapot", "")).await;
    assert_eq!((status, &problem["detail"]), (503, &json!("no search is configured here")));
    assert_eq!(site.post("/admin/reindex/users").await.status(), 503);
    assert_eq!(site.get("/health").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_searched_by_admins_only_and_products_by_everybody() {
    let (servers, _search) = servers().await;
    let secret = "a secret of production, long enough";
    let servers = servers.with("--environment", "production").with("--jwt-secret", secret);
    let site = servers.start(&["user_search", "product_search", "user_tasks"]).await;
    let (users, products) = (Site::search_path("users", "ada", ""), Site::search_path("products", "ada", ""));
    assert_eq!((site.get(&users).await.status().as_u16(), site.get(&products).await.status().as_u16()), (401, 200));
    let of = |roles: &[Role]| token(&site, Uuid::now_v7(), Uuid::now_v7(), roles);
    let (user, admin) = (of(&[Role::User]), of(&[Role::User, Role::Admin]));
    assert_eq!((site.status_with(&users, &user).await, site.status_with(&users, &admin).await), (403, 200));
    assert_eq!((site.status_with(&users, "garbage").await, site.status_with(&products, &user).await), (401, 200));
    assert_eq!(site.post("/admin/reindex/users").await.status(), 401);
    assert_eq!(site.post_with("/admin/reindex/users", &user).await, 403);
    assert_eq!(site.post_with("/admin/reindex/users", &admin).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_development_users_are_not_for_everybody_either() {
    let (servers, _search) = servers().await;
    let site = servers.start(&["user_search"]).await;
    assert_eq!(site.get(&Site::search_path("users", "ada", "")).await.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn consumers_that_start_at_the_same_moment_share_one_index_of_a_kind() {
    let (servers, search) = servers().await;
    let connecting = (0..4).map(|_| servers.stores());
    futures_util::future::join_all(connecting).await;
    for kind in ["users", "products"] {
        assert_eq!(indexes(&search, kind).await, [format!("{}-1", search.index(kind))]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_somebody_deletes_is_made_anew_and_not_by_guessing() {
    let (servers, search) = servers().await;
    let site = servers.start(&["user_search"]).await;
    let index = format!("/{}-1", search.index("users"));
    ask(search.url(), Method::DELETE, &index, None).await;
    let problem = site.searched(&Site::search_path("users", "ada", "")).await;
    assert_eq!(problem.0, 503, "{problem:?}");
    site.publish([user_created("Ada", "ada@example.org")]).await;
    site.reports(1).await;
    site.finds("users", "ada", &["Ada"]).await;
    let made = ask(search.url(), Method::GET, &format!("{index}/_mapping"), None).await;
    assert_eq!(made[&index[1..]]["mappings"]["dynamic"], "strict");
}

/// Fault 33.
#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_middle_of_a_batch_the_search_server_has_all_that_it_acknowledged() {
    const USERS: usize = 1500;
    let (servers, server) = tokio::join!(Servers::new(), testkit::private_search());
    let servers = servers.with("--search-url", server.url()).with("--batch", 20).with("--prefetch", 100);
    let site = servers.start(&["user_search"]).await;
    let name = |i: usize| format!("Ada {i}");
    let ids: Vec<Uuid> = (0..USERS).map(|_| Uuid::now_v7()).collect();
    let messages: Vec<Outgoing> = ids
        .iter()
        .enumerate()
        .map(|(i, id)| versioned(&UserCreated(named(*id, &name(i), "ada@example.org")), 1))
        .collect();
    site.publish(messages).await;
    let mut reports = site.reports(100).await;
    server.kill9().await;
    assert!(reports.len() < USERS, "it was killed too late for this test to mean anything");
    eventually("consuming pauses", async || {
        let (_, health) = site.json("/health").await;
        (health["dependencies"]["user_search"]["status"] == "down").then_some(())
    })
    .await;
    server.start().await;
    reports.extend(site.reports(USERS - reports.len()).await);
    // What was acknowledged is on disk.
    server.kill9().await;
    server.start().await;
    for report in &reports {
        assert_eq!((&report["state"], &report["attempt"]), (&json!("done"), &json!(1)), "an attempt was spent");
    }
    let stores = site.servers.stores().await;
    let search = stores.search().unwrap();
    for (i, id) in ids.iter().enumerate() {
        let held = search.user(*id).await.unwrap();
        assert_eq!(held.map(|held| held.data["name"].clone()), Some(json!(name(i))), "a user was lost");
    }
    let limit = Duration::from_secs(60);
    eventually_within(limit, "all are found", async || {
        (site.search("users", "ada").await["total"] == USERS).then_some(())
    })
    .await;
    assert_eq!(site.servers.rabbit.queue_depth("user_search.dead").await, 0);
}
