//! `welcome_messages`: writes what new users are told, and mails it where there is a mail server.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use contracts::users::UserEvent;
use futures_util::future::join_all;
use messaging::{Delivery, Failure, HandleBatch};
use tokio::time::Instant;
use uuid::Uuid;

use super::version;
use crate::mail::{Letter, MAIL_LIMIT, Mailer, NotSent};
use crate::stores::mongodb;
use crate::stores::users::Users;
use crate::stores::welcome::{Claimed, Claiming, Mailed, Welcome, Welcomes};

/// How long after its claim a process may begin to mail. One that was held up for longer claims anew.
const BEGIN_WITHIN: Duration = Duration::from_secs(2);

/// After this time nobody is at a claim any more.
const CLAIM_OVER: Duration = Duration::from_secs(BEGIN_WITHIN.as_secs() + MAIL_LIMIT.as_secs() + 2);

/// Welcomes users.
#[derive(Debug)]
pub struct WelcomeUsers {
    welcomes: Welcomes,
    users: Users,
    mailer: Option<Mailer>,
    process: String,
    /// The rounds of others that are waited for, and since when.
    waiting: Mutex<HashMap<Uuid, Instant>>,
}

impl WelcomeUsers {
    /// Stores welcome messages, and mails them if there is a mailer.
    pub fn new(welcomes: Welcomes, users: Users, mailer: Option<Mailer>) -> Self {
        Self { welcomes, users, mailer, process: Uuid::now_v7().to_string(), waiting: Mutex::default() }
    }

    /// Mails to those of the users who were not mailed yet, and tells of those for whom that is not the end.
    async fn mail(&self, mailer: &Mailer, mut users: Vec<Uuid>) -> Result<HashMap<Uuid, Failure>, Failure> {
        // A deletion may wait in the queue behind a creation, for as long as the mail server was away.
        let deleted = self.users.deleted_among(&users).await.map_err(|error| mongodb::failure(&error))?;
        users.retain(|user| !deleted.contains(user));
        if users.is_empty() {
            return Ok(HashMap::new());
        }
        let (began, round, over) = (Instant::now(), Uuid::now_v7(), self.rounds_over());
        let claiming = Claiming { process: &self.process, round, over: &over };
        let claimed = self.welcomes.claim(&users, claiming).await?;

        let (mut failures, mut mine, mut elsewhere) = (HashMap::new(), Vec::new(), HashSet::new());
        for (user, claimed) in claimed {
            match claimed {
                Claimed::Mine(welcome) => mine.push((user, welcome)),
                Claimed::Settled => {}
                Claimed::Refused(reason) => drop(failures.insert(user, Failure::refuse(reason))),
                Claimed::Elsewhere(round) => drop(elsewhere.insert(round)),
            }
        }
        let sending = mine.into_iter().map(|(user, welcome)| send(mailer, user, *welcome, began));
        let sent = join_all(sending).await;
        let mut mailed = Vec::with_capacity(sent.len());
        let mut unavailable = None;
        for (user, sent) in sent {
            mailed.push((
                user,
                match sent {
                    Ok(()) => Mailed::Sent,
                    Err(NotSent::Refused { reason, detail }) => {
                        failures.insert(user, Failure::refuse(&reason));
                        Mailed::Refused { reason, detail }
                    }
                    Err(NotSent::Later(reason)) => {
                        failures.insert(user, Failure::retry(reason));
                        Mailed::NotYet
                    }
                    Err(NotSent::Unavailable(reason)) => {
                        unavailable = Some(reason);
                        Mailed::NotYet
                    }
                },
            ));
        }
        self.welcomes.settle(round, &mailed).await?;
        if !elsewhere.is_empty() {
            unavailable.get_or_insert_with(|| "another consumer may be mailing the same welcome message".to_owned());
        }
        self.wait_for(elsewhere);
        unavailable.map_or(Ok(failures), |reason| Err(Failure::unavailable(reason)))
    }

    /// Rounds of others that have been waited for long enough.
    fn rounds_over(&self) -> Vec<Uuid> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let over = waiting.iter().filter(|(_, since)| since.elapsed() > CLAIM_OVER);
        over.map(|(round, _)| *round).collect()
    }

    /// Keeps in mind since when these rounds, and no others, are waited for.
    fn wait_for(&self, rounds: HashSet<Uuid>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|round, _| rounds.contains(round));
        for round in rounds {
            waiting.entry(round).or_insert_with(Instant::now);
        }
    }
}

/// The mail of one user, unless the claim on it is old already.
async fn send(mailer: &Mailer, user: Uuid, welcome: Welcome, claimed: Instant) -> (Uuid, Result<(), NotSent>) {
    if claimed.elapsed() > BEGIN_WITHIN {
        return (user, Err(NotSent::Unavailable("mailing took too long; going on".to_owned())));
    }
    let Welcome { email, subject, text, .. } = welcome;
    let (to, subject, text) = (email.unwrap_or_default(), subject.unwrap_or_default(), text.unwrap_or_default());
    let letter = Letter { id: &mail_id(user), to: &to, subject: &subject, text: &text };
    (user, mailer.send(&letter).await)
}

fn mail_id(user: Uuid) -> String {
    format!("welcome.{user}")
}

impl HandleBatch<UserEvent> for WelcomeUsers {
    async fn handle_batch(&self, batch: &[Delivery<UserEvent>]) -> Result<Vec<Result<(), Failure>>, Failure> {
        // Its queue is bound to creations and deletions; of what is put there by hand, an update concerns nobody.
        let concerned = |delivery: &Delivery<UserEvent>| !matches!(delivery.payload, UserEvent::Updated(_));
        let concerning: Vec<usize> = (0..batch.len()).filter(|&i| concerned(&batch[i])).collect();
        let events: Vec<_> = concerning.iter().map(|&i| (&batch[i].payload, version(&batch[i].meta))).collect();
        let message_id = |user| self.mailer.as_ref().map(|mailer| mailer.message_id(&mail_id(user)));
        let applied = self.welcomes.apply(&events, message_id).await?;
        let mut verdicts = vec![Ok(()); batch.len()];
        for (&i, verdict) in concerning.iter().zip(applied) {
            verdicts[i] = verdict;
        }

        let Some(mailer) = &self.mailer else { return Ok(verdicts) };
        let is_new = |i: &usize| verdicts[*i].is_ok() && matches!(batch[*i].payload, UserEvent::Created(_));
        let created: Vec<usize> = (0..batch.len()).filter(is_new).collect();
        let users: HashSet<Uuid> = created.iter().map(|&i| batch[i].payload.user_id()).collect();
        let failures = self.mail(mailer, users.into_iter().collect()).await?;
        for i in created {
            if let Some(failure) = failures.get(&batch[i].payload.user_id()) {
                verdicts[i] = Err(failure.clone());
            }
        }
        Ok(verdicts)
    }
}
