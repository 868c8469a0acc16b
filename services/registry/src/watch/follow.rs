//! Looks at the store again and again, and shows those who watch here what is new.

use std::sync::Arc;
use std::time::Duration;

use metrics::gauge;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::view::{Announced, Known, Seen, View};
use crate::store::{IfThere, Revisions, Store, StoreError};

/// How often the store is looked at when nobody tells of changes; each look also takes out who has been silent.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Keeps the view as the store is, until `stop`.
pub(crate) async fn follow(view: Arc<View>, store: Store, stop: CancellationToken) {
    loop {
        let Some(looked) = stop.run_until_cancelled(look(&view, &store)).await else { return };
        let was_current = view.set_current(looked.is_ok());
        match looked {
            Ok(()) if !was_current => tracing::info!("the store can be seen"),
            Ok(()) => {}
            Err(error) if was_current => tracing::warn!(%error, "the store cannot be seen; it is looked at again"),
            Err(error) => tracing::debug!(%error, "the store still cannot be seen"),
        }
        gauge!("registry_watchers").set(view.watchers() as f64);
        tokio::select! {
            () = view.woken() => {}
            () = sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn look(view: &View, store: &Store) -> Result<(), StoreError> {
    let before = view.seen();
    let mut now = store.revisions().await?;
    if before.epoch != 0 && before.epoch != now.epoch {
        restore(&before, store).await?;
        now = store.revisions().await?;
    }
    gauge!("registry_instances", "state" => "healthy").set(now.healthy);
    gauge!("registry_instances", "state" => "unhealthy").set(now.silent);
    if (before.epoch, before.revision) != (now.epoch, now.revision) {
        view.show(read(&before, now, store).await?);
    }
    Ok(())
}

/// Reads the services that are not as they were.
async fn read(before: &Seen, now: Revisions, store: &Store) -> Result<Seen, StoreError> {
    let mut seen = Seen { epoch: now.epoch, revision: now.revision, ..Seen::default() };
    for (service, revision) in now.services {
        let known = before.services.get(&service);
        let known = match known.filter(|known| before.epoch == now.epoch && known.revision == revision) {
            Some(unchanged) => unchanged.clone(),
            None => read_one(&service, known, store).await?,
        };
        seen.services.insert(service, known);
    }
    for gone in before.services.keys().filter(|service| !seen.services.contains_key(*service)) {
        tracing::info!(service = gone, "a service has no instances any more");
    }
    Ok(seen)
}

async fn read_one(service: &str, known: Option<&Known>, store: &Store) -> Result<Known, StoreError> {
    let (revision, instances) = store.healthy(service).await?;
    if let Some(Known { announced, .. }) = known.filter(|known| known.announced.instances == instances) {
        return Ok(Known { revision, announced: announced.clone() });
    }
    tracing::info!(service, healthy = instances.len(), "the healthy instances of a service changed");
    Ok(Known { revision, announced: Arc::new(Announced::new(service, revision, instances)?) })
}

/// A Redis that has lost its data gets back what this replica knew, so that callers are not told that nobody is there
/// until all have registered again. Who is no longer alive will be silent.
async fn restore(before: &Seen, store: &Store) -> Result<(), StoreError> {
    tracing::warn!(services = before.services.len(), "the store has lost its data, and gets back what was seen last");
    for (service, known) in &before.services {
        for instance in &known.announced.instances {
            store.register(service, instance, IfThere::Keep).await?;
        }
    }
    Ok(())
}
