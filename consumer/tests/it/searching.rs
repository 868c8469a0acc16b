//! A consumer with indexes of its own, and what is put into them.

use contracts::Money;
use contracts::products::{ProductCreated, ProductDeleted, ProductOwner, ProductState, ProductUpdated};
use contracts::users::{UserCreated, UserState};
use messaging::Outgoing;
use reqwest::{Client, Method, Url};
use serde_json::{Value, json};
use service::auth::Role;
use testkit::{TestSearch, eventually};
use uuid::Uuid;

use super::identity;
use super::support::{Servers, Site, user, versioned};

/// The servers, with a search.
pub(crate) async fn servers() -> (Servers, TestSearch) {
    let (servers, search) = tokio::join!(Servers::new(), testkit::search());
    (with_search(servers, &search, search.url()), search)
}

/// The same, where the search is reached in another way.
pub(crate) fn with_search(servers: Servers, search: &TestSearch, url: &str) -> Servers {
    servers
        .with("--search-url", url)
        .with("--search-users-index", search.index("users"))
        .with("--search-products-index", search.index("products"))
}

/// A search server, asked directly.
pub(crate) async fn ask(server: &str, method: Method, path: &str, body: Option<Value>) -> Value {
    let url = Url::parse(server).and_then(|url| url.join(path)).expect("a URL");
    let request = Client::builder().no_proxy().build().expect("plain HTTP").request(method, url);
    let request = body.iter().fold(request, |request, body| request.json(body));
    let answer = request.send().await.expect("the search answers");
    assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap_or_default());
    answer.json().await.expect("every answer is JSON")
}

/// The real indexes whose names begin so.
pub(crate) async fn indexes(search: &TestSearch, name: &str) -> Vec<String> {
    let found = ask(search.url(), Method::GET, &format!("/{}-*/_alias", search.index(name)), None).await;
    found.as_object().expect("indexes by name").keys().cloned().collect()
}

/// Makes all that was written be found now.
pub(crate) async fn refresh(search: &TestSearch) {
    ask(search.url(), Method::POST, &format!("/{}*/_refresh", search.prefix()), None).await;
}

impl Site {
    /// The path of a search.
    pub(crate) fn search_path(kind: &str, q: &str, more: &str) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", q).finish();
        format!("/search?kind={kind}&{query}{more}")
    }

    /// What an admin is answered, who may search all.
    pub(crate) async fn searched(&self, path: &str) -> (u16, Value) {
        let admin = identity::token(self, Uuid::now_v7(), Uuid::now_v7(), &[Role::Admin]);
        let answer = self.request(Method::GET, path).bearer_auth(admin).send().await.expect("the consumer answers");
        (answer.status().as_u16(), answer.json().await.expect("every answer is JSON"))
    }

    /// What is found on the first page.
    pub(crate) async fn search(&self, kind: &str, q: &str) -> Value {
        let (status, found) = self.searched(&Self::search_path(kind, q, "&limit=100")).await;
        assert_eq!(status, 200, "{q:?}: {found}");
        found
    }

    /// The names that are found, in their order.
    pub(crate) async fn names(&self, kind: &str, q: &str) -> Vec<String> {
        let found = self.search(kind, q).await;
        let hits = found["hits"].as_array().expect("a list");
        hits.iter().map(|hit| hit["name"].as_str().expect("each has a name").to_owned()).collect()
    }

    /// Waits until just these are found.
    pub(crate) async fn finds(&self, kind: &str, q: &str, names: &[&str]) {
        let what = format!("searching {kind} for {q:?} finds {names:?}");
        eventually(&what, async || (self.names(kind, q).await == names).then_some(())).await;
    }

    /// Indexes anew, and gives the last line of the answer.
    pub(crate) async fn reindex(&self, kind: &str) -> (u16, Value) {
        let answer = self.post(&format!("/admin/reindex/{kind}")).await;
        let status = answer.status().as_u16();
        let lines = answer.text().await.expect("it ends");
        let last = lines.lines().last().expect("there is at least one line");
        (status, serde_json::from_str(last).expect("each line is JSON"))
    }
}

pub(crate) fn named(id: Uuid, name: &str, email: &str) -> UserState {
    UserState { email: email.to_owned(), ..user(id, name, 0) }
}

pub(crate) fn user_created(name: &str, email: &str) -> Outgoing {
    versioned(&UserCreated(named(Uuid::now_v7(), name, email)), 1)
}

pub(crate) fn product(id: Uuid, name: &str, version: i64) -> ProductState {
    let at = user(id, "", version).updated_at;
    let owner = ProductOwner {
        owner_id: Uuid::nil(),
        name: "Grace Hopper".to_owned(),
        address: "1 Harbour Street".to_owned(),
        version: 1,
    };
    ProductState {
        product_id: id,
        name: name.to_owned(),
        description: String::new(),
        price: Money { amount: 1999, currency: serde_json::from_value(json!("EUR")).expect("a currency") },
        owner,
        stock: 5,
        reserved: 0,
        sold: 0,
        image: None,
        version,
        created_at: at,
        updated_at: at,
    }
}

pub(crate) fn product_created(state: ProductState) -> Outgoing {
    let version = state.version;
    versioned(&ProductCreated(state), version)
}

pub(crate) fn product_updated(state: ProductState) -> Outgoing {
    let version = state.version;
    versioned(&ProductUpdated(state), version)
}

pub(crate) fn product_deleted(product_id: Uuid, version: i64) -> Outgoing {
    let deleted_at = user(product_id, "", version).updated_at;
    versioned(&ProductDeleted { product_id, version, deleted_at }, version)
}
