//! The clients that are remembered: bounded, and those who went quiet are forgotten first.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::client::Client;

/// In each of two generations: some 20 MB at most, in all.
const GENERATION: usize = 50_000;

/// When the young are too many they become the old, and the old are forgotten; who comes again is young again.
///
/// What is forgotten is only what was known here: the count itself is in Redis.
#[derive(Debug, Default)]
pub(super) struct Clients(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<IpAddr, Arc<Client>>,
    old: HashMap<IpAddr, Arc<Client>>,
}

impl Clients {
    pub(super) fn get(&self, address: IpAddr) -> Arc<Client> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = generations.young.get(&address) {
            return client.clone();
        }
        let client = generations.old.remove(&address).unwrap_or_default();
        if generations.young.len() >= GENERATION {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(address, client.clone());
        client
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: usize) -> IpAddr {
        Ipv4Addr::from_bits(u32::try_from(number).unwrap()).into()
    }

    #[test]
    fn who_stays_is_remembered_and_the_number_is_bounded() {
        let clients = Clients::default();
        let regular = clients.get(address(0));
        for number in 1..5 * GENERATION {
            clients.get(address(number));
            if number % (GENERATION / 2) == 0 {
                assert!(Arc::ptr_eq(&regular, &clients.get(address(0))), "forgotten after {number}");
            }
        }
        let generations = clients.0.lock().unwrap();
        assert!(generations.young.len() + generations.old.len() <= 2 * GENERATION);
    }
}
