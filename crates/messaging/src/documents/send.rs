//! Publishing entries and recording what the broker answered.

use std::sync::atomic::Ordering;

use futures_util::future::join_all;

use super::{Relay, Waiting, gauges};
use crate::{Line, Outcome};

/// How many of the entries that fail together are logged one by one.
const LOGGED: usize = 10;

impl Relay {
    /// Sends one page of entries that are due. Whether there may be more, and both servers are well.
    pub(super) async fn sweep_page(&self) -> bool {
        match self.store.due(&self.claims, &self.settings).await {
            Ok(page) => {
                let before = self.unreadable.swap(page.unreadable, Ordering::Relaxed);
                if page.unreadable > before {
                    tracing::error!(
                        collection = self.store.name(),
                        entries = page.unreadable,
                        "documents hold entries in their outbox that cannot be read; they are left alone"
                    );
                }
                let full = page.full;
                let mut lines = self.line_up(page.entries).into_iter().peekable();
                let mut batches = Vec::new();
                while lines.peek().is_some() {
                    batches.push(self.send(lines.by_ref().take(self.settings.batch.max(1)).collect()));
                }
                join_all(batches).await.into_iter().all(|well| well) && full
            }
            Err(error) => {
                self.pause.begin(&error);
                false
            }
        }
    }

    /// Publishes entries and records the answers. What got none stays as it is. Whether both servers are well.
    pub(super) async fn send(&self, batch: Vec<Line<Waiting>>) -> bool {
        let mut unknown = None;
        let mut answered = Vec::with_capacity(batch.len());
        for (waiting, outcome) in join_all(batch.into_iter().map(|line| self.publish(line))).await.into_iter().flatten()
        {
            match outcome {
                Outcome::Unknown(reason) => unknown = Some(reason),
                outcome => answered.push((waiting, outcome)),
            }
        }
        self.tell_of_new_failures(&answered);
        let settled = self.store.settle(&answered, &self.settings).await;
        gauges::published(self.store.name(), &answered);
        match (unknown, settled) {
            (Some(reason), _) => self.pause.begin(&reason),
            (None, Err(error)) => self.pause.begin(&error),
            (None, Ok(())) => {
                self.pause.end();
                return true;
            }
        }
        false
    }

    /// Publishes a line when its turn has come.
    async fn publish(&self, mut line: Line<Waiting>) -> Vec<(Waiting, Outcome)> {
        line.turn().await;
        let outcomes = self.publisher.publish_in_order(line.items.iter().map(|waiting| waiting.entry.outgoing())).await;
        std::mem::take(&mut line.items).into_iter().zip(outcomes).collect()
    }

    /// An entry's first failure is logged, its later ones are not.
    fn tell_of_new_failures(&self, answered: &[(Waiting, Outcome)]) {
        let new: Vec<_> = answered
            .iter()
            .filter(|(waiting, outcome)| *outcome != Outcome::Confirmed && waiting.entry.tries() == 0)
            .collect();
        for (Waiting { document, entry, .. }, outcome) in new.iter().take(LOGGED) {
            let message = entry.outgoing();
            tracing::warn!(
                collection = self.store.name(), %document, id = %message.id, exchange = message.exchange,
                routing_key = message.routing_key, reason = %outcome,
                "a message could not be sent and stays in its document"
            );
        }
        if new.len() > LOGGED {
            tracing::warn!(
                collection = self.store.name(),
                more = new.len() - LOGGED,
                "further messages could not be sent and stay in their documents"
            );
        }
    }
}
