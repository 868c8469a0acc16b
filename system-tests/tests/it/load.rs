//! A load of writes that remembers what the client saw of each.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use reqwest::RequestBuilder;
use serde_json::json;
use system_tests::{Ask, Site};
use testkit::eventually_within;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// How many stories are told at the same time; each waits for the answer to its last write.
const AT_ONCE: usize = 32;

/// How long a client goes on repeating a write.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long the load as a whole may take to come to a point.
const PROGRESS_LIMIT: Duration = Duration::from_secs(120);

/// Writes in eight stories, one of each kind; see [`Teller::tell`].
const WRITES_OF_EIGHT: usize = 13;

/// What a write makes of something.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// This text is stored.
    Text(String),
    /// The record has this name, or is gone.
    Record(String, Option<String>),
    /// The user has this name, or is gone.
    User(Uuid, Option<String>),
}

/// What a client saw of a write.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) wish: Wish,
    /// The task, if the write was accepted; without, nobody knows what became of it.
    pub(crate) task: Option<Uuid>,
}

/// A load under way.
pub(crate) struct Load {
    accepted: watch::Receiver<usize>,
    told: JoinHandle<Vec<Write>>,
}

impl Load {
    /// Starts a load of at least so many writes.
    pub(crate) fn start(site: &Site, writes: usize) -> Self {
        let (count, accepted) = watch::channel(0);
        let teller = Arc::new(Teller { site: site.clone(), accepted: count });
        let stories = stream::iter(0..writes.div_ceil(WRITES_OF_EIGHT) * 8).map(move |number| {
            let teller = teller.clone();
            async move { teller.tell(number).await }
        });
        let told = stories.buffer_unordered(AT_ONCE).concat();
        Self { accepted, told: tokio::spawn(told) }
    }

    /// Waits until so many writes are accepted; the load must go on then.
    pub(crate) async fn reaches(&mut self, writes: usize) {
        let reached = self.accepted.wait_for(|accepted| *accepted >= writes);
        let reached = tokio::time::timeout(PROGRESS_LIMIT, reached).await;
        let reached = reached.unwrap_or_else(|_| panic!("{writes} writes were not accepted in {PROGRESS_LIMIT:?}"));
        reached.expect("the load goes on");
        assert!(!self.told.is_finished(), "the load was over before {writes} writes");
    }

    /// Waits for its end, and gives the writes, those of one record or user in their order.
    pub(crate) async fn end(self) -> Vec<Write> {
        let told = tokio::time::timeout(PROGRESS_LIMIT, self.told).await.expect("a load ends in time");
        told.expect("every write is answered as it should be")
    }
}

struct Teller {
    site: Site,
    accepted: watch::Sender<usize>,
}

impl Teller {
    /// A story is about one thing, and each of its writes waits for the answer to the last.
    async fn tell(&self, number: usize) -> Vec<Write> {
        match number % 8 {
            0 => vec![self.text(number).await],
            1 | 2 => vec![self.text_once(number).await],
            3 | 4 => self.record(number, 1).await,
            5 => self.record(number, 3).await,
            6 => self.user(number, false).await,
            _ => self.user(number, true).await,
        }
    }

    /// A text that is sent until it is accepted, and then once more.
    async fn text(&self, number: usize) -> Write {
        let text = format!("text {number}");
        let send = || self.site.get("/send").query(&[("msg", &text)]);
        let key = Uuid::now_v7();
        let (task, _) = self.accepted(key, send).await;
        let (again, _) = self.repeated(key, send).await;
        assert_eq!(task, again, "the same key had two effects");
        Write { wish: Wish::Text(text), task: Some(task) }
    }

    /// A text that is sent once, without a key, whatever comes back.
    async fn text_once(&self, number: usize) -> Write {
        let text = format!("text {number}");
        let answer = answer(self.site.get("/send").query(&[("msg", &text)])).await;
        let task = answer.map(|answer| answer.id("task_id"));
        if task.is_some() {
            self.accepted.send_modify(|accepted| *accepted += 1);
        }
        Write { wish: Wish::Text(text), task }
    }

    /// A record that is inserted, or inserted, deleted and inserted again.
    async fn record(&self, number: usize, changes: usize) -> Vec<Write> {
        let srn = format!("R{number}");
        let mut writes = Vec::new();
        for change in 0..changes {
            let name = (change != 1).then(|| format!("Name {change}"));
            let (task, _) = self
                .accepted(Uuid::now_v7(), || match &name {
                    Some(name) => self.site.post("/records", &json!({ "SRN": srn, "Name": name, "Section": "B" })),
                    None => self.site.delete(&format!("/records/{srn}")),
                })
                .await;
            writes.push(Write { wish: Wish::Record(srn.clone(), name), task: Some(task) });
        }
        writes
    }

    /// A user who is created and changed, and maybe deleted.
    async fn user(&self, number: usize, deleted: bool) -> Vec<Write> {
        let mut writes = Vec::new();
        let name = |change| Some(format!("Name {change}"));
        let new = json!({ "name": "Name 1", "email": format!("u{number}@example.org"), "password": "a long secret" });
        let (task, answer) = self.accepted(Uuid::now_v7(), || self.site.post("/users", &new)).await;
        let id = answer.id("user_id");
        writes.push(Write { wish: Wish::User(id, name(1)), task: Some(task) });

        let path = format!("/users/{id}");
        let change = json!({ "name": "Name 2" });
        let (task, _) = self.accepted(Uuid::now_v7(), || self.site.put(&path, &change)).await;
        writes.push(Write { wish: Wish::User(id, name(2)), task: Some(task) });
        if deleted {
            let (task, _) = self.accepted(Uuid::now_v7(), || self.site.delete(&path)).await;
            writes.push(Write { wish: Wish::User(id, None), task: Some(task) });
        }
        writes
    }

    async fn accepted(&self, key: Uuid, write: impl Fn() -> RequestBuilder) -> (Uuid, system_tests::Answer) {
        let accepted = self.repeated(key, write).await;
        self.accepted.send_modify(|accepted| *accepted += 1);
        accepted
    }

    /// Repeats a write with its key until it is answered with a success.
    async fn repeated(&self, key: Uuid, write: impl Fn() -> RequestBuilder) -> (Uuid, system_tests::Answer) {
        let key = key.to_string();
        eventually_within(PATIENCE, "a write is accepted", async || {
            let answer = answer(write().header("idempotency-key", &key)).await?;
            Some((answer.id("task_id"), answer))
        })
        .await
    }
}

/// The answer to a write, if it was accepted. It may be unknown or unwelcome now, but never refused.
async fn answer(write: RequestBuilder) -> Option<system_tests::Answer> {
    let answer = write.try_answer().await?;
    if answer.status == 503 {
        return None;
    }
    Some(answer.expect(202))
}
