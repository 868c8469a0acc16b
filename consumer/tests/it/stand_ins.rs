//! Servers that stand in for others, or in their way, while an index is built anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::to_bytes;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use contracts::products::ProductState;
use reqwest::{Client, Method};
use serde::Deserialize;
use serde_json::{Value, json};
use testkit::TestSearch;
use tokio::sync::watch;
use uuid::Uuid;

use super::searching::ask;

/// A products service that one can bring to a halt after its first page.
#[derive(Clone)]
pub(crate) struct Shop {
    products: Arc<Vec<ProductState>>,
    pub(crate) open: watch::Sender<bool>,
}

#[derive(Deserialize)]
struct Page {
    limit: usize,
    after: Option<Uuid>,
}

impl Shop {
    pub(crate) async fn open(products: Vec<ProductState>) -> (Self, String) {
        let shop = Self { products: Arc::new(products), open: watch::Sender::new(true) };
        let router = Router::new().route("/v1/products", get(Self::list)).with_state(shop.clone());
        let listener = service::listen(([127, 0, 0, 1], 0).into()).await.expect("there is a free port");
        let url = format!("products=http://{}", listener.local_addr().expect("it listens"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (shop, url)
    }

    async fn list(State(shop): State<Self>, Query(page): Query<Page>) -> Json<Value> {
        if page.after.is_some() {
            shop.open.subscribe().wait_for(|open| *open).await.expect("it has a sender");
        }
        let rest = shop.products.iter().filter(|product| page.after.is_none_or(|after| product.product_id > after));
        let products: Vec<_> = rest.take(page.limit).collect();
        let next = (products.len() == page.limit).then(|| products.last().map(|last| last.product_id)).flatten();
        Json(json!({ "products": products, "next": next }))
    }
}

/// Passes everything on to the search. Around the first bulk write, somebody puts in the index's place another one, which has
/// been filled before that.
#[derive(Clone)]
pub(crate) struct Meddler {
    target: String,
    alias: String,
    is_done: Arc<AtomicBool>,
}

impl Meddler {
    pub(crate) async fn before(search: &TestSearch) -> String {
        let (target, alias) = (search.url().to_owned(), search.index("users"));
        let meddler = Self { target, alias, is_done: Arc::default() };
        let router = Router::new().fallback(Self::pass_on).with_state(meddler);
        let listener = service::listen(([127, 0, 0, 1], 0).into()).await.expect("there is a free port");
        let url = format!("http://{}", listener.local_addr().expect("it listens"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    async fn pass_on(State(meddler): State<Self>, request: Request) -> Response {
        let Self { target, alias, is_done } = meddler;
        let meddles = request.uri().path() == "/_bulk" && !is_done.swap(true, Ordering::SeqCst);
        let new = format!("{alias}-2");
        if meddles {
            let index = json!({ "aliases": { format!("{alias}_next"): {} } });
            ask(&target, Method::PUT, &format!("/{new}"), Some(index)).await;
        }
        let (head, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("it is whole");
        let url = format!("{target}{}", head.uri);
        let answer = Client::new().request(head.method, url).headers(head.headers).body(body).send().await;
        let answer = answer.expect("the search answers");
        let response = (answer.status(), answer.bytes().await.expect("it is whole")).into_response();
        if meddles {
            let actions = json!([
                { "remove": { "index": new, "alias": format!("{alias}_next") } },
                { "remove_index": { "index": format!("{alias}-1") } },
                { "add": { "index": new, "alias": alias } },
            ]);
            ask(&target, Method::POST, "/_aliases", Some(json!({ "actions": actions }))).await;
        }
        response
    }
}
