//! What clients write, and what they do until it is accepted.

use std::ops::RangeInclusive;
use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::json;
use system_tests::{Answer, Ask, Site};
use testkit::eventually_within;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Failed, Wish, Write};

/// How long a client goes on repeating a write.
const PATIENCE: Duration = Duration::from_secs(90);

/// Answers after which a write is repeated: a gateway has two more, for what stands behind it.
const UNAVAILABLE: RangeInclusive<u16> = 503..=503;
const BY_A_GATEWAY: RangeInclusive<u16> = 502..=504;

/// What is told of, again and again.
pub(super) const ALL: [Story; 8] = [
    Story::Text,
    Story::TextOnce,
    Story::TextOnce,
    Story::Record(1),
    Story::Record(1),
    Story::Record(3),
    Story::User(2),
    Story::User(3),
];

/// The same without texts, which no gateway passes on.
pub(super) const THROUGH_GATEWAYS: [Story; 4] = [Story::Record(1), Story::Record(3), Story::User(2), Story::User(3)];

/// What happens to one thing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Story {
    /// A text is sent until it is accepted, and then once more.
    Text,
    /// A text is sent once, without a key, whatever comes back.
    TextOnce,
    /// A record is inserted, deleted and inserted again; or only so many of these.
    Record(usize),
    /// A user is created, changed and deleted; or only so many of these.
    User(usize),
}

/// Clients of these sites.
pub(super) struct Teller {
    sites: Vec<Site>,
    failed: Failed,
    unknown: RangeInclusive<u16>,
    accepted: watch::Sender<usize>,
}

impl Teller {
    /// Clients who tell `accepted` how many writes were. Several sites are gateways.
    pub(super) fn new(sites: Vec<Site>, failed: Failed, accepted: watch::Sender<usize>) -> Self {
        let unknown = if sites.len() > 1 { BY_A_GATEWAY } else { UNAVAILABLE };
        Self { sites, failed, unknown, accepted }
    }

    /// A story is about one thing, and each of its writes waits for the answer to the last.
    pub(super) async fn tell(&self, story: Story, number: usize) -> Vec<Write> {
        match story {
            Story::Text => vec![self.text(number).await],
            Story::TextOnce => vec![self.text_once(number).await],
            Story::Record(changes) => self.record(number, changes).await,
            Story::User(changes) => self.user(number, changes).await,
        }
    }

    async fn text(&self, number: usize) -> Write {
        let text = format!("text {number}");
        let send = |site: &Site| site.get("/send").query(&[("msg", &text)]);
        let key = Uuid::now_v7();
        let task = self.repeated(number, key, send).await.id("task_id");
        self.accepted.send_modify(|accepted| *accepted += 1);
        let again = self.repeated(number, key, send).await.id("task_id");
        assert_eq!(task, again, "the same key had two effects");
        Write { wish: Wish::Text(text), task: Some(task) }
    }

    async fn text_once(&self, number: usize) -> Write {
        let text = format!("text {number}");
        let answer = self.answer(self.site(number).get("/send").query(&[("msg", &text)])).await;
        let task = answer.map(|answer| answer.id("task_id"));
        if task.is_some() {
            self.accepted.send_modify(|accepted| *accepted += 1);
        }
        Write { wish: Wish::Text(text), task }
    }

    async fn record(&self, number: usize, changes: usize) -> Vec<Write> {
        let srn = format!("R{number}");
        let mut writes = Vec::new();
        for change in 0..changes {
            let name = (change != 1).then(|| format!("Name {change}"));
            let accepted = self.accepted(number, |site| match &name {
                Some(name) => site.post("/records", &json!({ "SRN": srn, "Name": name, "Section": "B" })),
                None => site.delete(&format!("/records/{srn}")),
            });
            let task = accepted.await.id("task_id");
            writes.push(Write { wish: Wish::Record(srn.clone(), name), task: Some(task) });
        }
        writes
    }

    async fn user(&self, number: usize, changes: usize) -> Vec<Write> {
        let mut writes = Vec::new();
        let name = |change| Some(format!("Name {change}"));
        let new = json!({ "name": "Name 1", "email": format!("u{number}@example.org"), "password": "a long secret" });
        let answer = self.accepted(number, |site| site.post("/users", &new)).await;
        let id = answer.id("user_id");
        writes.push(Write { wish: Wish::User(id, name(1)), task: Some(answer.id("task_id")) });

        let path = format!("/users/{id}");
        let change = json!({ "name": "Name 2" });
        let task = self.accepted(number, |site| site.put(&path, &change)).await.id("task_id");
        writes.push(Write { wish: Wish::User(id, name(2)), task: Some(task) });
        if changes > 2 {
            let task = self.accepted(number, |site| site.delete(&path)).await.id("task_id");
            writes.push(Write { wish: Wish::User(id, None), task: Some(task) });
        }
        writes
    }

    /// Stories are spread over the sites; what fails at one is sent to the next.
    fn site(&self, turn: usize) -> &Site {
        &self.sites[turn % self.sites.len()]
    }

    async fn accepted(&self, number: usize, write: impl Fn(&Site) -> RequestBuilder) -> Answer {
        let accepted = match self.failed {
            Failed::Repeat => self.repeated(number, Uuid::now_v7(), write).await,
            Failed::Never => write(self.site(number)).answer().await.expect(202),
        };
        self.accepted.send_modify(|accepted| *accepted += 1);
        accepted
    }

    /// Repeats a write with its key until it is answered with a success.
    async fn repeated(&self, number: usize, key: Uuid, write: impl Fn(&Site) -> RequestBuilder) -> Answer {
        let (key, mut turns) = (key.to_string(), number..);
        eventually_within(PATIENCE, "a write is accepted", || {
            let site = self.site(turns.next().unwrap_or_default());
            self.answer(write(site).header("idempotency-key", &key))
        })
        .await
    }

    /// The answer to a write, if it was accepted. It may be unknown or unwelcome now, but never refused.
    async fn answer(&self, write: RequestBuilder) -> Option<Answer> {
        let answer = write.try_answer().await?;
        if self.unknown.contains(&answer.status) {
            return None;
        }
        Some(answer.expect(202))
    }
}
