//! Tokens that were found to be in order, so that what comes with every request is verified once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::identity::Identity;

/// In each of two generations: some 10 MB at most, in all.
const GENERATION: usize = 8_000;

/// When the young are too many they become the old, and the old are forgotten.
#[derive(Default)]
pub(super) struct KnownTokens(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashMap<Box<[u8]>, Identity>,
    old: HashMap<Box<[u8]>, Identity>,
}

impl KnownTokens {
    /// Whom a token names that was in order once. It may have expired since.
    pub(super) fn get(&self, token: &[u8]) -> Option<Identity> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(identity) = known.young.get(token) {
            return Some(identity.clone());
        }
        let (token, identity) = known.old.remove_entry(token)?;
        known.add(token, identity.clone());
        Some(identity)
    }

    pub(super) fn add(&self, token: &[u8], identity: Identity) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(token.into(), identity);
    }
}

impl Generations {
    fn add(&mut self, token: Box<[u8]>, identity: Identity) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, identity);
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;
    use crate::auth::Roles;

    fn identity(number: usize) -> Identity {
        Identity {
            user_id: Uuid::from_u128(number as u128),
            session_id: Uuid::nil(),
            roles: Roles::default(),
            expires_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_token_in_use_stays_known_and_the_number_is_bounded() {
        let known = KnownTokens::default();
        let token = |number: usize| number.to_le_bytes();
        known.add(&token(0), identity(0));
        for number in 1..5 * GENERATION {
            known.add(&token(number), identity(number));
            if number % (GENERATION / 2) == 0 {
                assert_eq!(known.get(&token(0)), Some(identity(0)), "forgotten after {number}");
            }
        }
        assert_eq!(known.get(&token(1)), None);
        let generations = known.0.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION);
    }
}
