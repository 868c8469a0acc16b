//! `warren dead-letters`: what could not be handled, and what a person can do about it.

mod run;
mod show;

use serde::Deserialize;
use serde_json::Value;

use crate::access::{self, Access, Unknown};
use crate::api::Http;
use crate::args::{AccessArgs, DeadLetters, Which};
use crate::failure::Failure;
use crate::out;
use run::{Action, Run};

/// How many are parked beside each queue.
#[derive(Debug, Deserialize)]
struct Counts {
    queues: Vec<Count>,
    parked: u64,
}

#[derive(Debug, Deserialize)]
struct Count {
    queue: String,
    /// None if the broker has no such queue.
    parked: Option<u64>,
}

/// The dead letters of a broker, over HTTP.
struct Letters {
    access: Access,
    url: String,
}

impl Letters {
    async fn new(args: &AccessArgs) -> Result<Self, Failure> {
        let http = Http::new()?;
        let access = Access::begin(http.clone(), args, Unknown::Refuse).await?;
        let url = access::at(&http, args, "consumer", "/api/admin/dead-letters", "/admin/dead-letters").await?;
        Ok(Self { access, url })
    }

    /// Where those of a queue are. Its name is whatever was typed.
    fn of(&self, queue: &str, path: &str) -> String {
        let queue: String = url::form_urlencoded::byte_serialize(queue.as_bytes()).collect();
        // In a path a space is not a plus.
        format!("{}/{}{path}", self.url, queue.replace('+', "%20"))
    }

    async fn counts(&self) -> Result<(Counts, Value), Failure> {
        let answer: Value = self.access.get(&self.url).await?;
        let counts = understood(&answer)?;
        Ok((counts, answer))
    }
}

pub(crate) async fn run(args: DeadLetters, json: bool) -> Result<(), Failure> {
    match args {
        DeadLetters::List { access } => list(&Letters::new(&access).await?, json).await,
        DeadLetters::Show { which, limit, access } => {
            show::run(&Letters::new(&access).await?, &which, limit, json).await
        }
        DeadLetters::Redrive { which, rate, how, access } => {
            let run = Run { action: Action::Redrive { rate }, which, how };
            run.carry_out(&Letters::new(&access).await?, json).await
        }
        DeadLetters::Purge { which, how, access } => {
            let run = Run { action: Action::Purge, which, how };
            run.carry_out(&Letters::new(&access).await?, json).await
        }
    }
}

async fn list(letters: &Letters, json: bool) -> Result<(), Failure> {
    let (counts, answer) = letters.counts().await?;
    if json {
        out::json(&answer);
        return Ok(());
    }
    for Count { queue, parked } in &counts.queues {
        let parked = parked.map_or_else(|| "-".to_owned(), |parked| parked.to_string());
        out::line(&format!("{parked:>9}  {queue}"));
    }
    out::line(&format!("{:>9}  in all", counts.parked));
    Ok(())
}

/// Which letters are meant, as the API has it.
fn filter(which: &Which) -> Vec<(&'static str, Value)> {
    let texts = [("message_id", &which.id), ("kind", &which.kind), ("reason", &which.reason)];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text.as_deref()?.into())));
    let age = which.older_than.map(|age| ("older_than_secs", age.as_secs().into()));
    texts.chain(age).collect()
}

fn understood<T: serde::de::DeserializeOwned>(answer: &Value) -> Result<T, Failure> {
    T::deserialize(answer).map_err(|error| Failure::Wrong(format!("the answer is not understood: {error}")))
}
