//! An index is built anew beside the one in use, while others write and search.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use contracts::products::ProductState;
use contracts::users::{UserCreated, UserUpdated};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use testkit::{TestSearch, eventually, eventually_within};
use uuid::Uuid;

use super::searching::{ask, indexes, named, product, product_created, product_deleted, refresh, servers, with_search};
use super::stand_ins::{Meddler, Shop};
use super::stopping::program;
use super::support::{Servers, deleted, versioned};

fn teapots(count: usize) -> Vec<ProductState> {
    (0..count).map(|i| product(Uuid::now_v7(), &format!("Teapot {i}"), 1)).collect()
}

/// Servers whose products come from a shop.
async fn with_shop(products: Vec<ProductState>) -> (Servers, TestSearch, Shop) {
    let (servers, search) = servers().await;
    let (shop, url) = Shop::open(products).await;
    // It is called once: a call that waits for the shop is not made again.
    (servers.with("--service-urls", url).with("--call-timeout", 60), search, shop)
}

/// Only one index is there, and the alias is all that it carries.
async fn only_one_is_left(search: &TestSearch, kind: &str) -> String {
    let found = ask(search.url(), Method::GET, &format!("/{}*/_alias", search.index(kind)), None).await;
    let found = found.as_object().expect("indexes by name");
    assert_eq!(found.len(), 1, "{found:?}");
    let (name, index) = found.iter().next().expect("there is one");
    assert_eq!(index["aliases"], json!({ search.index(kind): {} }));
    name.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_indexed_anew_without_a_gap_while_others_write_and_search() {
    const RUNS: usize = 4;
    let (servers, search) = servers().await;
    let site = Arc::new(servers.start(&["user_tasks", "user_search"]).await);
    // A second process writes too, and hears of nothing in its own memory.
    let (other, url) = program(&site.servers, &["user_search"]).await;
    let other = other.start().await;
    other.wait_ready(&format!("{url}/ready")).await;

    let steady: Vec<Uuid> = (0..300).map(|_| Uuid::now_v7()).collect();
    site.publish(
        steady
            .iter()
            .enumerate()
            .map(|(i, id)| versioned(&UserCreated(named(*id, &format!("Steady {i}"), "steady@example.org")), 1)),
    )
    .await;
    eventually("all are found", async || (site.search("users", "steady").await["total"] == 300).then_some(())).await;
    site.reports(600).await;

    let going = Arc::new(AtomicBool::new(true));
    let searches = Arc::new(AtomicUsize::new(0));
    let searchers: Vec<_> = (0..3)
        .map(|searcher| {
            let (site, going, searches) = (site.clone(), going.clone(), searches.clone());
            tokio::spawn(async move {
                let mut i = searcher;
                while going.load(Ordering::Relaxed) {
                    let found = site.search("users", &format!("Steady {}", i % 300)).await;
                    assert_eq!(found["hits"][0]["name"], format!("Steady {}", i % 300), "there is a gap");
                    let all = site.search("users", "steady").await;
                    assert_eq!(all["total"], 300, "there is a gap");
                    searches.fetch_add(2, Ordering::Relaxed);
                    i += 7;
                }
            })
        })
        .collect();
    let writer = {
        let (site, going) = (site.clone(), going.clone());
        tokio::spawn(async move {
            let mut written: Vec<(Uuid, i64, bool)> = Vec::new();
            while going.load(Ordering::Relaxed) {
                let mut messages = Vec::new();
                for i in 0..10 {
                    let (id, n) = (Uuid::now_v7(), written.len());
                    let state = named(id, &format!("Fleeting {n}"), "fleeting@example.org");
                    messages.push(versioned(&UserCreated(state.clone()), 1));
                    messages.push(versioned(&UserUpdated(state), 2));
                    let ends_deleted = i % 3 == 0;
                    if ends_deleted {
                        messages.push(versioned(&deleted(id), 3));
                    }
                    written.push((id, if ends_deleted { 3 } else { 2 }, ends_deleted));
                }
                // Others are changed, and keep their names.
                let known: Vec<_> =
                    written.iter_mut().rev().skip(10).step_by(9).filter(|(.., gone)| !gone).take(5).collect();
                for (id, version, _) in known {
                    *version += 1;
                    let state = named(*id, &format!("Changed {version}"), "fleeting@example.org");
                    messages.push(versioned(&UserUpdated(state), *version));
                }
                let count = messages.len();
                site.publish(messages).await;
                // Two roles report on each.
                site.reports(2 * count).await;
            }
            written
        })
    };
    let mut names = vec![format!("{}-1", search.index("users"))];
    for _ in 0..RUNS {
        let (status, last) = site.reindex("users").await;
        assert_eq!((status, &last["state"], &last["refused"]), (200, &json!("done"), &json!(0)), "{last}");
        names.push(last["index"].as_str().unwrap().to_owned());
    }
    going.store(false, Ordering::Relaxed);
    for searcher in searchers {
        searcher.await.expect("no search failed");
    }
    let written = writer.await.expect("all was published");
    let searches = searches.load(Ordering::Relaxed);
    assert!(searches > RUNS && written.len() > 10 * RUNS, "it was too quick for this test to mean anything");
    names.dedup();
    assert_eq!(names.len(), RUNS + 1, "each run builds one");
    assert_eq!(only_one_is_left(&search, "users").await, names[RUNS]);

    let stores = site.servers.stores().await;
    let found = stores.search().unwrap();
    for (id, version, deleted) in &written {
        let held = found.user(*id).await.unwrap().expect("nothing is lost");
        assert_eq!((held.version, held.deleted), (Some(*version), *deleted), "something is lost, or was resurrected");
    }
    refresh(&search).await;
    let live = written.iter().filter(|(.., deleted)| !deleted).count();
    assert_eq!(site.search("users", "fleeting").await["total"], live);
    assert_eq!(other.sigterm().await, 0, "{}", other.logs());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_slow_writer_has_written_only_to_the_old_index_is_written_to_the_new_one_too() {
    let (servers, search) = tokio::join!(Servers::new(), testkit::search());
    let url = Meddler::before(&search).await;
    let site = with_search(servers, &search, &url).start(&["user_search"]).await;
    let id = Uuid::now_v7();
    site.publish([versioned(&UserCreated(named(id, "Ada", "ada@example.org")), 1)]).await;
    assert_eq!(site.reports(1).await[0]["state"], "done");
    assert_eq!(only_one_is_left(&search, "users").await, format!("{}-2", search.index("users")));
    let path = format!("/{}/_doc/{id}", search.index("users"));
    assert_eq!(ask(search.url(), Method::GET, &path, None).await["_source"]["name"], "Ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_midway_the_old_index_is_searched_and_the_next_run_clears_the_remains() {
    let products = teapots(450);
    let (servers, search, shop) = with_shop(products.clone()).await;
    let (program, url) = program(&servers, &["product_search"]).await;
    let program = program.start().await;
    program.wait_ready(&format!("{url}/ready")).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let reindex = async || client.post(format!("{url}/admin/reindex/products")).send().await.unwrap();

    shop.open.send_replace(false);
    let mut answer = reindex().await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/x-ndjson".parse().unwrap())
    );
    let line: Value = serde_json::from_slice(&answer.chunk().await.unwrap().unwrap()).unwrap();
    assert_eq!(line, json!({ "state": "copying", "done": 200, "total": 200 }));
    assert_eq!(reindex().await.status(), 409);
    program.kill9().await;
    assert_eq!(indexes(&search, "products").await.len(), 2, "it was killed too late for this test to mean anything");

    shop.open.send_replace(true);
    program.start_again().await;
    program.wait_ready(&format!("{url}/ready")).await;
    let found = client.get(format!("{url}/search?kind=products&q=teapot")).send().await.unwrap();
    assert_eq!(found.json::<Value>().await.unwrap()["total"], 0, "the old index is searched");
    // The lease outlives the process that was killed for a while.
    let limit = Duration::from_secs(30);
    let answer = eventually_within(limit, "the lease has ended", async || {
        let answer = reindex().await;
        (answer.status() != 409).then_some(answer)
    })
    .await;
    let lines = answer.text().await.unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!((&last["state"], &last["documents"]), (&json!("done"), &json!(450)), "{lines}");
    let found = client.get(format!("{url}/search?kind=products&q=teapot")).send().await.unwrap();
    assert_eq!(found.json::<Value>().await.unwrap()["total"], 450);
    assert_eq!(json!(only_one_is_left(&search, "products").await), last["index"]);
    assert_eq!(program.sigterm().await, 0, "{}", program.logs());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_one_runs_at_a_time_and_whoever_goes_away_ends_it() {
    let (servers, search, shop) = with_shop(teapots(250)).await;
    let site = servers.start(&["product_search", "user_search", "user_tasks"]).await;
    shop.open.send_replace(false);
    let mut answer = site.post("/admin/reindex/products").await;
    assert!(answer.chunk().await.unwrap().is_some());
    let refused = site.post("/admin/reindex/products").await;
    assert_eq!(refused.status(), 409);
    assert_eq!(refused.json::<Value>().await.unwrap()["detail"], "products are indexed anew already");
    assert_eq!(site.reindex("users").await.1["state"], "done", "the other kind is another matter");
    assert_eq!(site.post("/admin/reindex/orders").await.status(), 404);

    drop(answer);
    eventually("what was begun is taken away", async || {
        (indexes(&search, "products").await == [format!("{}-1", search.index("products"))]).then_some(())
    })
    .await;
    shop.open.send_replace(true);
    let done = eventually("the lease is given back", async || {
        let (status, last) = site.reindex("products").await;
        (status != 409).then_some(last)
    })
    .await;
    assert_eq!((&done["state"], &done["documents"]), (&json!("done"), &json!(250)));
    assert_eq!(json!(only_one_is_left(&search, "products").await), done["index"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_index_has_lost_is_found_again_and_what_was_deleted_stays_deleted() {
    let products = teapots(3);
    let (servers, search, _shop) = with_shop(products.clone()).await;
    let site = servers.start(&["product_search", "user_search", "user_tasks"]).await;
    let index = search.index("products");
    let gone = Uuid::now_v7();
    let newer = ProductState { version: 5, ..product(products[1].product_id, "Newer teapot", 5) };
    site.publish([
        product_created(products[0].clone()),
        product_created(newer),
        product_created(product(gone, "Gone teapot", 1)),
        product_deleted(gone, 2),
    ])
    .await;
    site.holds("product_search", 0).await;
    refresh(&search).await;
    // Somebody has meddled with one.
    let id = products[0].product_id;
    let meddled =
        json!({ "script": { "source": "ctx._source.name = 'Nonsense'" }, "query": { "term": { "product_id": id } } });
    let path = format!("/{index}/_update_by_query?refresh=true&conflicts=proceed");
    let _ = Client::new().post(format!("{}{path}", search.url())).json(&meddled).send().await.unwrap();

    let (_, last) = site.reindex("products").await;
    assert_eq!((&last["state"], &last["refused"]), (&json!("done"), &json!(0)), "{last}");
    let mut names = site.names("products", "teapot").await;
    names.sort_unstable();
    assert_eq!(names, ["Newer teapot", "Teapot 0", "Teapot 2"]);
    // An event about the deleted one that comes late.
    site.publish([product_created(product(gone, "Gone teapot", 1))]).await;
    site.holds("product_search", 0).await;
    refresh(&search).await;
    assert!(site.names("products", "gone").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reindex_that_cannot_read_what_it_needs_says_so_and_leaves_all_as_it_was() {
    let (servers, search) = servers().await;
    let servers = servers.with("--service-urls", "products=http://127.0.0.1:1").with("--call-backoff", 0.01);
    let site = servers.start(&["product_search"]).await;
    let id = Uuid::now_v7();
    site.publish([product_created(product(id, "Teapot", 1))]).await;
    site.finds("products", "teapot", &["Teapot"]).await;
    let (status, last) = site.reindex("products").await;
    assert_eq!((status, &last["state"]), (200, &json!("failed")));
    assert!(last["error"].as_str().unwrap().contains("products"), "{last}");
    site.finds("products", "teapot", &["Teapot"]).await;
    assert_eq!(only_one_is_left(&search, "products").await, format!("{}-1", search.index("products")));
    assert_eq!(site.post("/admin/reindex/users").await.status(), 503, "users are read from MongoDB");
}
