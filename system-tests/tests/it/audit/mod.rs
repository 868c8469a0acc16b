//! The checker: what was accepted is in every store, once, and nothing else is.
//!
//! Every store applies a message only if it is newer, which would hide an effect that comes twice. So this counts: the
//! version of a record or user is the number of its changes, texts have a document for each message, and [`Counters`] write
//! each change down that is made in MariaDB and MongoDB.

mod change_stream;
mod counters;
mod expected;
mod postgres;
mod stores;
mod triggers;

use std::collections::BTreeMap;
use std::fmt::Debug;

pub(crate) use self::counters::Counters;
use self::expected::Expected;
use crate::load::Write;
use crate::world::World;

/// Where a record or user stands: how many changes it has seen, and its name if it is not deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    version: i64,
    name: Option<String>,
}

type States = BTreeMap<String, State>;

/// How many differences a failure shows.
const SHOWN: usize = 20;

/// Fails unless the effects of these writes, and nothing more, are in every store. Only after [`World::settled`].
pub(crate) async fn audit(world: &World, writes: &[Write]) {
    let expected = Expected::of(writes);
    let mut found = Findings::default();
    let (postgres, mysql) = (world.servers.postgres(), world.servers.mysql());
    found.compare("a record in Postgres", &expected.records, &postgres::records(&postgres).await);
    found.compare("a user in Postgres", &expected.users, &postgres::users(&postgres).await);
    found.compare("a record in MariaDB", &expected.records, &stores::records(&mysql).await);
    found.compare("the changes of a record in MariaDB", &expected.last_changes(), &world.counters.last_changes().await);
    found.compare("a change", &BTreeMap::new(), &world.counters.doubled().await);
    let mongodb = world.servers.mongodb().await;
    found.compare("a user in MongoDB", &expected.users, &stores::users(&mongodb).await);
    expected.texts(&stores::texts(&mongodb).await, &mut found);
    let mut redis = world.servers.redis().await;
    found.compare("a profile in Redis", &expected.users, &stores::profiles(&mut redis).await);
    found.compare("a session in Redis", &expected.sessions(), &stores::sessions(&mut redis).await);
    // Last, because what is lost or doubled above says more than its task.
    postgres::tasks(&postgres, &expected, &mut found).await;
    found.none();
}

/// What is not as it should be.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    pub(crate) fn add(&mut self, finding: String) {
        self.0.push(finding);
    }

    /// Each key must have the same value on both sides.
    pub(crate) fn compare<V: PartialEq + Debug>(
        &mut self,
        what: &str,
        expected: &BTreeMap<String, V>,
        found: &BTreeMap<String, V>,
    ) {
        for (key, wanted) in expected {
            match found.get(key) {
                Some(there) if there == wanted => {}
                Some(there) => self.add(format!("{what} is wrong: {key} is {there:?} instead of {wanted:?}")),
                None => self.add(format!("{what} is lost: {key} {wanted:?}")),
            }
        }
        let extra = found.iter().filter(|(key, _)| !expected.contains_key(*key));
        self.0.extend(extra.map(|(key, there)| format!("{what} is one too many: {key} {there:?}")));
    }

    pub(crate) fn none(self) {
        let shown = self.0.iter().take(SHOWN).map(|finding| format!("\n  {finding}")).collect::<String>();
        assert!(self.0.is_empty(), "{} findings:{shown}", self.0.len());
    }
}
