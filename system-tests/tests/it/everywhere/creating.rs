//! Users, created many at a time, and what their tasks tell.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use contracts::topology::queue;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use system_tests::{Ask, Site};
use testkit::eventually_within;
use tokio::sync::watch;
use uuid::Uuid;

use crate::load::{Wish, Write};

/// What becomes of a new user, as its task tells.
const STEPS: [&str; 5] =
    [queue::USER_TASKS, queue::USER_SESSIONS, queue::USER_PREFERENCES, queue::USER_SEARCH, queue::WELCOME_MESSAGES];

/// How many users are created at the same time.
const AT_ONCE: usize = 32;

/// How many tasks are asked for at the same time: few, so that asking does not hold up what is waited for.
const ASKED_AT_ONCE: usize = 4;

/// How long the steps of many users may take, one after another, on a busy machine.
const LIMIT: Duration = Duration::from_secs(90);

/// A user that was accepted.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) preferences: Value,
    task: Uuid,
}

impl User {
    async fn create(site: &Site, number: usize, domain: &str) -> Self {
        let (name, email) = (format!("User {number}"), format!("u{number}@{domain}"));
        let preferences = json!({ "theme": "dark", "page": { "size": number } });
        let new = json!({ "name": name, "email": email, "password": "a long secret", "preferences": preferences });
        let accepted = site.post("/users", &new).answer().await.expect(202);
        Self { id: accepted.id("user_id"), name, email, preferences, task: accepted.id("task_id") }
    }

    /// As all writes are audited.
    pub(super) fn write(&self) -> Write {
        Write { wish: Wish::User(self.id, Some(self.name.clone())), task: Some(self.task) }
    }

    /// Waits until the task tells that all is done except for these steps, which nobody could do until now. It may never have
    /// told anything else of them.
    async fn is_done_but_for(&self, site: &Site, waiting: &[&str]) {
        let expected = STEPS.map(|step| {
            let waits = waiting.contains(&step);
            (step.to_owned(), if waits { ("waiting".to_owned(), 0) } else { ("done".to_owned(), 1) })
        });
        let expected = BTreeMap::from(expected);
        let state = if waiting.is_empty() { "done" } else { "published" };
        eventually_within(LIMIT, &format!("of {} all is done but {waiting:?}", self.name), async || {
            let task = site.get(&format!("/tasks/{}", self.task)).answer().await.expect(200).json();
            let told = steps(&task);
            for step in waiting {
                assert_eq!(told.get(*step), expected.get(*step), "{step} has no store, and is told to be more: {task}");
            }
            (told == expected && task["state"] == state).then_some(())
        })
        .await;
    }
}

/// Creates the users with these numbers, and tells how many are accepted so far. None may be refused.
pub(super) async fn create(
    site: &Site,
    numbers: Range<usize>,
    domain: &str,
    accepted: &watch::Sender<usize>,
) -> Vec<User> {
    let create = async |number| {
        let user = User::create(site, number, domain).await;
        accepted.send_modify(|accepted| *accepted += 1);
        user
    };
    stream::iter(numbers).map(create).buffer_unordered(AT_ONCE).collect().await
}

/// Waits until the tasks of all these users tell that all is done, at the first try, except for these steps.
pub(super) async fn all_done_but_for(site: &Site, users: &[User], waiting: &[&str]) {
    stream::iter(users).for_each_concurrent(ASKED_AT_ONCE, |user| user.is_done_but_for(site, waiting)).await;
}

/// How far each step is, and how often it was tried.
fn steps(task: &Value) -> BTreeMap<String, (String, u64)> {
    let steps = task["steps"].as_array().unwrap_or_else(|| panic!("a task has steps: {task}"));
    let told = |step: &Value| {
        let text = |field: &str| step[field].as_str().unwrap_or_default().to_owned();
        (text("step"), (text("state"), step["attempts"].as_u64().unwrap_or_default()))
    };
    steps.iter().map(told).collect()
}
