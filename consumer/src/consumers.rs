//! A supervised consumer for each role.

use std::sync::Arc;
use std::time::Duration;

use contracts::messages::{HealthAnswer, HealthCheck, StoreMessage};
use contracts::products::ProductEvent;
use contracts::records::{DeleteRecord, InsertRecord, ReadDatabase, RecordPage};
use contracts::users::UserEvent;
use messaging::{Broker, Consumer, ConsumerStatus, HandleBatch, Incoming};
use service::{Health, Need};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::handlers::delete_record::DeleteRecords;
use crate::handlers::health_check::AnswerHealthCheck;
use crate::handlers::insert_record::InsertRecords;
use crate::handlers::product_search::FindProducts;
use crate::handlers::read_database::ReadRecords;
use crate::handlers::skip::Skip;
use crate::handlers::tasks::StoreMessages;
use crate::handlers::user_preferences::KeepPreferences;
use crate::handlers::user_search::FindUsers;
use crate::handlers::user_sessions::KeepSessions;
use crate::handlers::user_tasks::KeepUsers;
use crate::handlers::welcome_messages::WelcomeUsers;
use crate::mail::AT_ONCE;
use crate::report::Reporter;
use crate::role::Role;
use crate::stores::{NotUsed, Stores};

/// Requests are answered at the same time, and each answer can be a page of a thousand records.
const REQUESTS_AT_ONCE: u16 = 16;

/// The running consumers.
#[derive(Debug)]
pub struct Consumers {
    running: JoinSet<&'static str>,
    statuses: Vec<(Role, ConsumerStatus)>,
    stop: CancellationToken,
}

impl Consumers {
    /// Starts a consumer for each of the configured roles; they run until `stop`.
    pub fn start(config: &Config, broker: &Broker, stores: &Stores, stop: &CancellationToken) -> Result<Self, NotUsed> {
        let mut consumers = Self { running: JoinSet::new(), statuses: Vec::new(), stop: stop.clone() };
        let reporter = Arc::new(Reporter::new(broker.clone()));
        for role in config.roles() {
            let consumer = broker.consumer(role.queue()).max_attempts(config.max_attempts);
            let consumer = if role.answers() {
                consumer.prefetch(REQUESTS_AT_ONCE).batch(REQUESTS_AT_ONCE.into())
            } else {
                let consumer = consumer.prefetch(config.prefetch).batch(config.batch.into());
                if role.reports() { consumer.observer(reporter.clone()) } else { consumer }
            };
            match role {
                Role::Tasks => {
                    consumers.spawn::<StoreMessage, _>(role, consumer, StoreMessages(stores.messages()?.clone()));
                }
                Role::UserTasks => {
                    consumers.spawn::<UserEvent, _>(role, consumer, KeepUsers(stores.users()?.clone()));
                }
                Role::UserSessions => {
                    consumers.spawn::<UserEvent, _>(role, consumer, KeepSessions(stores.profiles()?.clone()));
                }
                Role::UserPreferences => {
                    consumers.spawn::<UserEvent, _>(role, consumer, KeepPreferences(stores.preferences()?.clone()));
                }
                Role::WelcomeMessages => {
                    let mailer = stores.mailer().cloned();
                    let consumer = if mailer.is_some() { consumer.batch(AT_ONCE) } else { consumer };
                    let welcome = WelcomeUsers::new(stores.welcomes()?.clone(), stores.users()?.clone(), mailer);
                    consumers.spawn::<UserEvent, _>(role, consumer, welcome);
                }
                Role::UserSearch => match stores.search() {
                    Ok(search) => consumers.spawn::<UserEvent, _>(role, consumer, FindUsers(search.clone())),
                    Err(_) => {
                        let skipping = Arc::new(Reporter::skipping(broker.clone(), "no search is configured"));
                        consumers.spawn::<UserEvent, _>(role, consumer.observer(skipping), Skip);
                    }
                },
                Role::ProductSearch => match stores.search() {
                    Ok(search) => consumers.spawn::<ProductEvent, _>(role, consumer, FindProducts(search.clone())),
                    Err(_) => consumers.spawn::<ProductEvent, _>(role, consumer, Skip),
                },
                Role::HealthCheck => {
                    let answering = broker.answering::<_, HealthAnswer>(AnswerHealthCheck::new());
                    consumers.spawn::<HealthCheck, _>(role, consumer, answering);
                }
                Role::InsertRecord => {
                    consumers.spawn::<InsertRecord, _>(role, consumer, InsertRecords(stores.records()?.clone()));
                }
                Role::DeleteRecord => {
                    consumers.spawn::<DeleteRecord, _>(role, consumer, DeleteRecords(stores.records()?.clone()));
                }
                Role::ReadDatabase => {
                    let answering = broker.answering::<_, RecordPage>(ReadRecords(stores.records()?.clone()));
                    consumers.spawn::<ReadDatabase, _>(role, consumer, answering);
                }
            }
        }
        Ok(consumers)
    }

    fn spawn<M: Incoming, H: HandleBatch<M>>(&mut self, role: Role, consumer: Consumer, handler: H) {
        self.statuses.push((role, consumer.status()));
        let stop = self.stop.clone();
        self.running.spawn(async move {
            consumer.run::<M, H>(handler, stop).await;
            role.queue()
        });
    }

    /// Adds the consumers to the process's health. One that waits for its store is listed as down, with what it waits
    /// for; the process is ready when the broker has all of them.
    pub(crate) fn in_health(&self, mut health: Health) -> Health {
        for (role, status) in self.statuses.clone() {
            health = health.consumer(role.queue(), status, Need::Required);
        }
        health
    }

    /// Runs until the process is told to stop and each consumer has finished its batch, for which they have limited
    /// time. A consumer that ends otherwise takes the process down, so that it is started again.
    pub async fn finish(mut self, within: Duration) -> anyhow::Result<()> {
        let stop = self.stop.clone();
        let ended = async {
            while let Some(ended) = self.running.join_next().await {
                let early = !stop.is_cancelled();
                stop.cancel();
                let queue = ended?;
                anyhow::ensure!(!early, "the consumer of `{queue}` ended by itself");
            }
            Ok(())
        };
        let late = async {
            stop.cancelled().await;
            tokio::time::sleep(within).await;
        };
        tokio::select! {
            ended = ended => ended,
            () = late => anyhow::bail!("a consumer did not finish its batch within {} s", within.as_secs()),
        }
    }
}
