//! `warren demo`: one user's way through every store, with times, as one would watch it.

mod follow;
mod stores;

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::access::{self, Access, Unknown};
use crate::api::Http;
use crate::args::{AccessArgs, DemoArgs};
use crate::failure::Failure;
use crate::out;
use follow::Step;
use stores::Everywhere;

/// What was seen.
#[derive(Debug, Serialize)]
struct Seen {
    user_id: Uuid,
    task_id: Uuid,
    accepted_ms: f64,
    steps: Vec<Step>,
    done_ms: f64,
    everywhere: Everywhere,
    #[serde(skip_serializing_if = "Option::is_none")]
    found_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_ms: Option<f64>,
}

#[derive(Deserialize)]
struct Accepted {
    task_id: Uuid,
    user_id: Uuid,
}

/// Where everything is.
struct Places {
    users: String,
    tasks: String,
    everywhere: String,
    search: String,
}

impl Places {
    async fn find(http: &Http, args: &AccessArgs) -> Result<Self, Failure> {
        Ok(Self {
            users: access::at(http, args, "producer", "/api/users", "/users").await?,
            tasks: access::at(http, args, "producer", "/api/tasks", "/tasks").await?,
            everywhere: access::at(http, args, "consumer", "/api/users", "/users").await?,
            search: access::at(http, args, "consumer", "/api/search", "/search").await?,
        })
    }
}

/// One run of it.
struct Demo {
    access: Access,
    places: Places,
    /// How long to wait for a task.
    limit: Duration,
    json: bool,
}

pub(crate) async fn run(args: DemoArgs, json: bool) -> Result<(), Failure> {
    let http = Http::new()?;
    let access = Access::begin(http.clone(), &args.access, Unknown::Refuse).await?;
    let places = Places::find(&http, &args.access).await?;
    let demo = Demo { access, places, limit: Duration::from_secs(args.seconds.into()), json };
    let begun = Instant::now();
    let number = Uuid::now_v7().simple().to_string();
    // A name that no other user has, so that a search finds this one.
    let number = &number[20..];
    let name = format!("Ada Demo-{number}");
    let user = json!({
        "name": name, "email": format!("ada.{number}@example.org"), "password": Uuid::now_v7(),
        "preferences": { "language": "en", "newsletter": true },
    });
    let key = Uuid::now_v7().to_string();
    let accepted: Accepted = demo.access.post_once(&demo.places.users, &key, &user).await?;
    let accepted_ms = ms(begun);
    let (user_id, task_id) = (accepted.user_id, accepted.task_id);
    demo.tell(&format!(
        "{accepted_ms:8.1} ms  accepted: PostgreSQL has {name} ({user_id}), and the message for all others"
    ));

    let seen = demo.watch(begun, accepted, accepted_ms, &name, number).await;
    let removed_ms = match (&seen, args.keep) {
        (_, true) => None,
        (Ok(_), false) => Some(demo.remove(user_id).await?),
        (Err(_), false) => {
            // It is forgotten as soon as that can be done; what was seen first is what matters.
            let gone = demo.access.delete::<Value>(&format!("{}/{user_id}", demo.places.users)).await;
            let what = if gone.is_ok() { "is being deleted again" } else { "could not be deleted again" };
            out::error(&format!("The user {user_id} of task {task_id} {what}."));
            None
        }
    };
    let seen = Seen { removed_ms, ..seen? };
    if json {
        out::json(&json!(seen));
    }
    match seen.everywhere.agree {
        true => Ok(()),
        false => Err(Failure::Partly("the stores do not agree; see above".to_owned())),
    }
}

impl Demo {
    fn tell(&self, line: &str) {
        if !self.json {
            out::line(line);
        }
    }

    /// Tells of each step until the user is in every store, and can be found.
    async fn watch(
        &self,
        begun: Instant,
        accepted: Accepted,
        accepted_ms: f64,
        name: &str,
        number: &str,
    ) -> Result<Seen, Failure> {
        let (Accepted { task_id, user_id }, Places { tasks, everywhere, search, .. }) = (accepted, &self.places);
        let events = format!("{tasks}/{task_id}/events");
        let tell = |step: &Step| self.tell(&step.told());
        let steps = follow::task(&self.access, &events, self.limit, || ms(begun), tell).await?;
        let done_ms = ms(begun);
        self.tell(&format!("{done_ms:8.1} ms  done: every step has ended"));

        let everywhere: Everywhere = self.access.get(&format!("{everywhere}/{user_id}/everywhere")).await?;
        self.tell("");
        everywhere.told().iter().for_each(|line| self.tell(line));
        self.tell("");
        let present = everywhere.present();
        self.tell(&format!("{done_ms:8.1} ms  total: one user in {} stores: {}", present.len(), present.join(", ")));
        let found_ms = if everywhere.is_searchable() {
            stores::search(&self.access, &format!("{search}?kind=users&q={number}"), user_id).await?;
            let found_ms = ms(begun);
            self.tell(&format!("{found_ms:8.1} ms  found: a search for `{number}` has {name}"));
            Some(found_ms)
        } else {
            None
        };
        Ok(Seen { user_id, task_id, accepted_ms, steps, done_ms, everywhere, found_ms, removed_ms: None })
    }

    /// Deletes the user again, and waits until every store has forgotten them.
    async fn remove(&self, user_id: Uuid) -> Result<f64, Failure> {
        let begun = Instant::now();
        let Accepted { task_id, .. } = self.access.delete(&format!("{}/{user_id}", self.places.users)).await?;
        let events = format!("{}/{task_id}/events", self.places.tasks);
        follow::task(&self.access, &events, self.limit, || ms(begun), |_| ()).await?;
        let removed_ms = ms(begun);
        self.tell(&format!(
            "{removed_ms:8.1} ms  removed: after `DELETE /users/{user_id}` every store has forgotten them"
        ));
        Ok(removed_ms)
    }
}

fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1_000.0
}
