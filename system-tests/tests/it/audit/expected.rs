//! What must have become of writes, by what their client saw.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{Findings, State, States};
use crate::load::{Wish, Write};

#[derive(Debug, Default)]
pub(super) struct Expected {
    /// Those of writes that were accepted.
    pub(super) tasks: BTreeSet<Uuid>,
    /// How many writes nobody knows the fate of. All of them are texts.
    pub(super) unknown: usize,
    pub(super) records: States,
    pub(super) users: States,
    texts: BTreeMap<String, Option<Uuid>>,
}

impl Expected {
    pub(super) fn of(writes: &[Write]) -> Self {
        let mut expected = Self::default();
        for Write { wish, task } in writes {
            match task {
                Some(task) => assert!(expected.tasks.insert(*task), "two writes were given one task"),
                None => expected.unknown += 1,
            }
            let (states, key, name) = match wish {
                Wish::Text(text) => {
                    expected.texts.insert(text.clone(), *task);
                    continue;
                }
                Wish::Record(srn, name) => (&mut expected.records, srn.clone(), name),
                Wish::User(id, name) => (&mut expected.users, id.to_string(), name),
            };
            assert!(task.is_some(), "what has a version is written until it is accepted");
            let state = states.entry(key).or_default();
            *state = State { version: state.version + 1, name: name.clone() };
        }
        expected
    }

    /// The version of the last change of each record.
    pub(super) fn last_changes(&self) -> BTreeMap<String, i64> {
        self.records.iter().map(|(srn, state)| (srn.clone(), state.version)).collect()
    }

    /// The names in the sessions of all users there are.
    pub(super) fn sessions(&self) -> BTreeMap<String, String> {
        self.users.iter().filter_map(|(id, state)| Some((id.clone(), state.name.clone()?))).collect()
    }

    /// Compares with the ids of the messages that brought each text: one if the text was accepted, at most one if
    /// nobody knows.
    pub(super) fn texts(&self, found: &BTreeMap<String, Vec<String>>, findings: &mut Findings) {
        for (text, task) in &self.texts {
            let ids = found.get(text).map(Vec::as_slice).unwrap_or_default();
            let right = match task {
                Some(task) => ids == [task.to_string()],
                None => ids.len() <= 1,
            };
            if !right {
                findings.add(format!("{text:?}, accepted as {task:?}, was stored as {ids:?}"));
            }
        }
        for text in found.keys().filter(|text| !self.texts.contains_key(*text)) {
            findings.add(format!("nobody has sent {text:?}"));
        }
    }
}
